// A stranger's view of the log, with the signed notes and the tiled Merkle trees of golang.org/x/mod/sumdb, which nobody
// here wrote: is the published log whole, are receipts in it, and did it only grow since they were given out?
//
//	logpeer PREFIX VKEYFILE [RECEIPT.leaf ...]
//
// PREFIX is a folder or an http address. VKEYFILE holds the pinned key: the one that signs now is found. Beside each receipt lies its .tlog-proof. The answer is the size of the log.
package main

import (
	"bytes"
	"encoding/base64"
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

const height = 8

// A log is where its files are published. It reads the tiles for package tlog, which verifies them.
type log string

func (l log) fetch(path string) ([]byte, error) {
	if !strings.HasPrefix(string(l), "http") {
		return os.ReadFile(string(l) + "/" + path)
	}
	answer, err := http.Get(string(l) + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

func (l log) Height() int { return height }

func (l log) SaveTiles([]tlog.Tile, [][]byte) {}

// The paths of package tlog say the height, those of tlog-tiles do not.
func (l log) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		bytes, err := l.fetch(strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

// follow leads from the pinned key to the one that signs now: each key, in a note of its own, names the next.
func (l log) follow(key note.Verifier) (note.Verifier, error) {
	text, err := l.fetch("rotations")
	if errors.Is(err, os.ErrNotExist) {
		return key, nil
	}
	for lines := strings.SplitAfter(string(text), "\n"); err == nil && len(lines) > 5; lines = lines[5:] {
		var signed *note.Note
		if signed, err = openNote([]byte(strings.Join(lines[:5], "")), key); err != nil {
			return nil, err
		}
		said := strings.Split(signed.Text, "\n")
		if len(said) != 4 || said[0] != "bitcache/checkpoint-key/v1" || said[1] != key.Name() {
			return nil, fmt.Errorf("a note names no key")
		}
		key, err = note.NewVerifier(said[2])
	}
	return key, err
}

// openNote is stricter than note.Open: one signature has one spelling.
func openNote(text []byte, key note.Verifier) (*note.Note, error) {
	signed, err := note.Open(text, note.VerifierList(key))
	if err != nil {
		return nil, err
	}
	for _, signature := range signed.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(signature.Base64); err != nil {
			return nil, err
		}
	}
	return signed, nil
}

// open reads a checkpoint: a note of three lines that the key signed.
func open(text []byte, key note.Verifier) (tlog.Tree, error) {
	var tree tlog.Tree
	signed, err := openNote(text, key)
	if err != nil {
		return tree, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() || lines[3] != "" {
		return tree, fmt.Errorf("this is no checkpoint of %s", key.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = parseHash(lines[2])
	return tree, err
}

// A hashes is all hashes of a tree, in the order in which package tlog stores them.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range indexes {
		if index >= int64(len(h)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		found = append(found, h[index])
	}
	return found, nil
}

// checkTiles makes the tree again from its leaf hashes, and compares every published tile and the root with it.
func (l log) checkTiles(tree tlog.Tree) error {
	var made hashes
	tiles := tlog.NewTiles(height, 0, tree.N)
	for k, tile := range tiles {
		// An unfinished tile is listed in every width.
		if k+1 < len(tiles) && tiles[k+1].L == tile.L && tiles[k+1].N == tile.N {
			continue
		}
		data, err := l.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return err
		}
		for i := 0; tile.L == 0 && i < tile.W; i++ {
			var leaf tlog.Hash
			if copy(leaf[:], data[0][min(i*tlog.HashSize, len(data[0])):]) < tlog.HashSize {
				return fmt.Errorf("%s is too short", tile.Path())
			}
			more, err := tlog.StoredHashesForRecordHash(tile.N<<height+int64(i), leaf, made)
			if err != nil {
				return err
			}
			made = append(made, more...)
		}
		right, err := tlog.ReadTileData(tile, made)
		if err != nil {
			return err
		}
		if !bytes.Equal(right, data[0]) {
			return fmt.Errorf("%s does not follow from the leaves", tile.Path())
		}
	}
	root, err := tlog.TreeHash(tree.N, made)
	if err == nil && root != tree.Hash {
		err = fmt.Errorf("the tiles have the root %v, the checkpoint %v", root, tree.Hash)
	}
	return err
}

// parseHash is stricter than tlog.ParseHash: one hash has one spelling.
func parseHash(text string) (tlog.Hash, error) {
	if _, err := base64.StdEncoding.Strict().DecodeString(text); err != nil {
		return tlog.Hash{}, err
	}
	return tlog.ParseHash(text)
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// checkReceipt verifies that a record is in the log: by the proof that came with it, and by the tiles; and that the log
// has only grown since.
func checkReceipt(path string, keys []note.Verifier, newest tlog.Tree, reader tlog.HashReader) error {
	leaf, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(leaf) == 0 || leaf[0] != 0 {
		return fmt.Errorf("a leaf begins with a byte 00")
	}
	record := tlog.RecordHash(leaf[1:])
	text, err := os.ReadFile(path + ".tlog-proof")
	if err != nil {
		return err
	}
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return fmt.Errorf("this is no tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := parseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	var tree tlog.Tree
	for _, key := range keys {
		if tree, err = open(checkpoint, key); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, record); err != nil {
		return err
	}
	if proof, err = tlog.ProveRecord(newest.N, index, reader); err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, newest.N, newest.Hash, index, record); err != nil {
		return err
	}
	growth, err := tlog.ProveTree(newest.N, tree.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(growth, newest.N, newest.Hash, tree.N, tree.Hash)
}

func run(prefix, vkeyFile string, receipts []string) (int64, error) {
	vkey, err := os.ReadFile(vkeyFile)
	if err != nil {
		return 0, err
	}
	key, err := note.NewVerifier(strings.TrimSuffix(string(vkey), "\n"))
	if err != nil {
		return 0, err
	}
	published := log(prefix)
	newest, err := published.follow(key)
	if err != nil {
		return 0, err
	}
	text, err := published.fetch("checkpoint")
	if err != nil {
		return 0, err
	}
	tree, err := open(text, newest)
	if err != nil {
		return 0, err
	}
	if err := published.checkTiles(tree); err != nil {
		return 0, err
	}
	reader := tlog.TileHashReader(tree, published)
	for _, receipt := range receipts {
		if err := checkReceipt(receipt, []note.Verifier{key, newest}, tree, reader); err != nil {
			return 0, fmt.Errorf("%s: %w", receipt, err)
		}
	}
	return tree.N, nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: logpeer PREFIX VKEYFILE [RECEIPT.leaf ...]")
		os.Exit(2)
	}
	size, err := run(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(size)
}
