// Digital Bazaar's Data Integrity packages from a folder with `node_modules`. Nothing is fetched: the
// loader knows the given contexts and did:key, and fails for everything else.
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const MULTIKEY = 'https://w3id.org/security/multikey/v1';
export const methodOf = multikey => {
  const controller = `did:key:${multikey}`;
  const id = `${controller}#${multikey}`;
  return {'@context': MULTIKEY, id, type: 'Multikey', controller, publicKeyMultibase: multikey};
};

// What `modules`, the path of that folder, and `contexts`, documents by URL, make possible.
export const packages = async ({modules, contexts}) => {
  const require = createRequire(`${modules}/`);
  const load = name => import(pathToFileURL(require.resolve(name)));
  const {DataIntegrityProof} = await load('@digitalbazaar/data-integrity');
  const {default: jsigs} = await load('jsonld-signatures');
  const purpose = new jsigs.purposes.AssertionProofPurpose();
  const documentLoader = async url => {
    if(contexts[url]) {
      return {documentUrl: url, document: contexts[url]};
    }
    if(url.startsWith('did:key:')) {
      const [controller, fragment] = url.split('#');
      const method = methodOf(controller.slice('did:key:'.length));
      return {documentUrl: url, document: fragment ? method : {
        '@context': ['https://www.w3.org/ns/did/v1', MULTIKEY],
        id: controller,
        verificationMethod: [method],
        assertionMethod: [method.id]
      }};
    }
    throw new Error(`no document ${url}`);
  };
  return {load, DataIntegrityProof, jsigs, purpose, documentLoader};
};
