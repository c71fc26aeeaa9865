package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"

	"github.com/trulioo-go/trulioo"
)

// saveFiles saves the files of a client, before its line is written. Those that
// are there already are whole: they have their name only then.
func (f *folder) saveFiles(ctx context.Context, client *trulioo.Client, p *trulioo.Profile) error {
	if len(p.Files()) == 0 {
		return nil
	}
	dir := filesDir + "/" + dirName(p.ID)
	if err := f.root.MkdirAll(dir, 0o700); err != nil { // by root, which follows no link out of the folder
		return err
	}
	_, err := client.Files.SaveAll(ctx, filepath.Join(f.root.Name(), dir), p)
	return err
}

// dirName is the client's id where that looks like the ids seen so far, and else a
// digest of it: ids are the server's, and nobody checks them.
func dirName(id string) string {
	if len(id) >= 8 && len(id) <= 64 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") == "" {
		return id
	}
	return "client-" + digest(id)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
