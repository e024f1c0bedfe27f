// Drives jose for the tests: JSON in on standard input, JSON out. Request: {modules, steps: [{do:
// 'encrypt' | 'decrypt', key, …}]}; `key` is a JWK of the tests. Nothing is fetched.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const request = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(`${request.modules}/`);
const {CompactEncrypt, compactDecrypt, importJWK} =
  await import(pathToFileURL(require.resolve('jose')));

const run = async step => {
  const key = await importJWK(step.key, 'ECDH-ES');
  if(step.do === 'encrypt') {
    const message = new CompactEncrypt(new TextEncoder().encode(step.payload))
      .setProtectedHeader({alg: 'ECDH-ES', enc: step.enc, kid: step.key.kid});
    if(step.apu) {
      message.setKeyManagementParameters({
        apu: Buffer.from(step.apu), apv: Buffer.from(step.apv)
      });
    }
    return message.encrypt(key);
  }
  const {plaintext, protectedHeader} = await compactDecrypt(step.token, key);
  return {payload: new TextDecoder().decode(plaintext), header: protectedHeader};
};

const answers = [];
for(const step of request.steps) {
  answers.push({value: await run(step)});
}
process.stdout.write(JSON.stringify(answers));
