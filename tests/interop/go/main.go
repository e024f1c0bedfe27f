// Command tlogpeer is what the tests of tests/interop/test_tlog_peer.py ask: a stock client, and a
// stock log, made of golang.org/x/mod/sumdb/note and tlog. What those packages do is what counts
// here; this only carries bytes between them and the network, and prints JSON.
//
//	tlogpeer verify VKEY...            a signed note on stdin
//	tlogpeer read URL ORIGIN VKEY      reads a whole log by its tiles
//	tlogpeer log URL SEED WITNESS...   is a log that a witness cosigns
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 1 && args[0] == "verify":
		return verify(args[1:])
	case len(args) == 4 && args[0] == "read":
		return read(args[1], args[2], args[3])
	case len(args) > 3 && args[0] == "log":
		return log(args[1], args[2], args[3:])
	}
	return errors.New("verify, read or log")
}

func say(value any) error { return json.NewEncoder(os.Stdout).Encode(value) }

// Signed notes.

type verifier struct {
	name   string
	hash   uint32
	verify func(msg, sig []byte) bool
}

func (v verifier) Name() string                { return v.name }
func (v verifier) KeyHash() uint32             { return v.hash }
func (v verifier) Verify(msg, sig []byte) bool { return v.verify(msg, sig) }

// verifierOf knows signature type 1 by x/mod itself; the others are c2sp.org/tlog-cosignature.
func verifierOf(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("no vkey")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) < 1 {
		return nil, errors.New("no key")
	}
	if data[0] == 1 {
		return note.NewVerifier(vkey)
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	v := verifier{name: parts[0], hash: binary.BigEndian.Uint32(sum[:4])}
	if fmt.Sprintf("%08x", v.hash) != parts[1] {
		return nil, errors.New("the id does not fit the key")
	}
	switch data[0] {
	case 4:
		key := ed25519.PublicKey(data[1:])
		v.verify = func(msg, sig []byte) bool {
			if len(sig) != 8+ed25519.SignatureSize {
				return false
			}
			head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
			return ed25519.Verify(key, append([]byte(head), msg...), sig[8:])
		}
	case 6:
		check, err := mldsaVerifier(data[1:])
		if err != nil {
			return nil, err
		}
		v.verify = func(msg, sig []byte) bool {
			if len(sig) <= 8 {
				return false
			}
			signed, err := subtreeMessage(v.name, binary.BigEndian.Uint64(sig), msg)
			return err == nil && check(signed, sig[8:])
		}
	default:
		return nil, errors.New("a type that is not known here")
	}
	return v, nil
}

func subtreeMessage(name string, time uint64, text []byte) ([]byte, error) {
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 || lines[3] != "" {
		return nil, errors.New("not three lines")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil {
		return nil, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != 32 {
		return nil, errors.New("no root")
	}
	var b bytes.Buffer
	b.WriteString("subtree/v1\n\x00")
	b.WriteByte(byte(len(name)))
	b.WriteString(name)
	for _, part := range []any{time, byte(len(lines[0])), []byte(lines[0]), uint64(0), size, root} {
		if err := binary.Write(&b, binary.BigEndian, part); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func open(data []byte, vkeys []string) (*note.Note, error) {
	var known []note.Verifier
	for _, vkey := range vkeys {
		v, err := verifierOf(vkey)
		if err != nil {
			return nil, err
		}
		known = append(known, v)
	}
	return note.Open(data, note.VerifierList(known...))
}

func verify(vkeys []string) error {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	opened, err := open(data, vkeys)
	if err != nil {
		return say(map[string]any{"error": err.Error()})
	}
	signed := []string{}
	for _, sig := range opened.Sigs {
		signed = append(signed, fmt.Sprintf("%s+%08x", sig.Name, sig.Hash))
	}
	return say(map[string]any{
		"text": opened.Text, "signatures": signed, "unverified": len(opened.UnverifiedSigs),
	})
}

// Reading a log.

func get(url string) ([]byte, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, answer.Status)
	}
	return data, err
}

// tiles reads what tlog asks for. Its paths have the height in them, those of tlog-tiles do not.
type tiles struct{ url string }

func (t tiles) Height() int                         { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte)     {}
func (t tiles) path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		data, err := get(t.url + "/" + t.path(tile))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func read(url, origin, vkey string) error {
	data, err := get(url + "/checkpoint")
	if err != nil {
		return err
	}
	opened, err := open(data, []string{vkey})
	if err != nil {
		return err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != origin {
		return errors.New("the checkpoint of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return err
	}
	tree := tlog.Tree{N: size, Hash: root}
	reader := tlog.TileHashReader(tree, tiles{url})
	entries := 0
	for index := int64(0); index*256 < size; index++ {
		path := fmt.Sprintf("tile/entries/%03d", index)
		if size-index*256 < 256 {
			path += fmt.Sprintf(".p/%d", size-index*256)
		}
		bundle, err := get(url + "/" + path)
		if err != nil {
			return err
		}
		for len(bundle) > 0 {
			length := int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2 : 2+length]
			bundle = bundle[2+length:]
			proof, err := tlog.ProveRecord(size, int64(entries), reader)
			if err != nil {
				return err
			}
			hash := tlog.RecordHash(entry)
			if err := tlog.CheckRecord(proof, size, root, int64(entries), hash); err != nil {
				return err
			}
			entries++
		}
	}
	for old := int64(1); old <= size; old += 1 + size/50 {
		older, err := tlog.TreeHash(old, reader)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(size, old, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, size, root, old, older); err != nil {
			return err
		}
	}
	return say(map[string]any{"size": size, "entries": entries, "root": root.String()})
}

// Being a log.

type answer struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Body   string `json:"body"`
}

func post(url string, body []byte) (answer, error) {
	got, err := http.Post(url+"/add-checkpoint", "text/plain", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header.Get("Content-Type"), string(data)}, err
}

type smallLog struct {
	hashes []tlog.Hash
	signer note.Signer
}

func (l *smallLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range indexes {
		found = append(found, l.hashes[index])
	}
	return found, nil
}

func (l *smallLog) request(old, size int64) ([]byte, []byte, error) {
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		return nil, nil, err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", l.signer.Name(), size, root)
	signed, err := note.Sign(&note.Note{Text: text}, l.signer)
	if err != nil {
		return nil, nil, err
	}
	body := fmt.Sprintf("old %d\n", old)
	if old > 0 && old < size {
		proof, err := tlog.ProveTree(size, old, l)
		if err != nil {
			return nil, nil, err
		}
		for _, hash := range proof {
			body += hash.String() + "\n"
		}
	}
	return append([]byte(body+"\n"), signed...), signed, nil
}

// log grows and has each step cosigned; it prints what the witness answered, and whose
// cosignatures the stock verifier found on its own checkpoints.
func log(url, skey string, witness []string) error {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	l := &smallLog{signer: signer}
	var told []any
	size := int64(0)
	for _, next := range []int64{1, 2, 3, 7, 256, 257, 700} {
		for n := size; n < next; n++ {
			stored, err := tlog.StoredHashes(n, []byte("entry "+strconv.FormatInt(n, 10)), l)
			if err != nil {
				return err
			}
			l.hashes = append(l.hashes, stored...)
		}
		body, signed, err := l.request(size, next)
		if err != nil {
			return err
		}
		got, err := post(url, body)
		if err != nil {
			return err
		}
		step := map[string]any{"answer": got, "size": next}
		if got.Status == http.StatusOK {
			opened, err := open(append(signed, got.Body...), witness)
			if err != nil {
				return err
			}
			step["cosigned"] = len(opened.Sigs)
		}
		told = append(told, step)
		size = next
	}
	stale, _, err := l.request(3, 7)
	if err != nil {
		return err
	}
	conflict, err := post(url, stale)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(signer.Name()))
	data, err := get(url + "/" + hex.EncodeToString(sum[:]) + "/checkpoint")
	if err != nil {
		return err
	}
	opened, err := open(data, witness)
	if err != nil {
		return err
	}
	return say(map[string]any{
		"steps": told, "conflict": conflict, "monitored": len(opened.Sigs), "text": opened.Text,
	})
}
