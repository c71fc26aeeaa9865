package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"github.com/trulioo-go/trulioo"
)

const tries = 3 // of a file whose transfers break and cannot be resumed

// saveFiles saves the files of a client, before its line is written. Those that
// are there already are whole: they have their name only then.
func (f *folder) saveFiles(ctx context.Context, client *trulioo.Client, p *trulioo.Profile) error {
	refs := p.Files()
	if len(refs) == 0 {
		return nil
	}
	dir := filesDir + "/" + dirName(p.ID)
	if err := f.root.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	names := fileNames(refs)
	for i, ref := range refs {
		name := dir + "/" + names[i]
		if _, err := f.root.Lstat(name); err == nil {
			continue
		}
		if err := f.saveFile(ctx, client, ref.Key, unfinished+"/"+digest(p.ID+" "+ref.Key), name); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) saveFile(ctx context.Context, client *trulioo.Client, key, part, name string) error {
	file, err := f.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(download(ctx, client, key, file), file.Sync(), file.Close()); err != nil {
		return err
	}
	return f.root.Rename(part, name)
}

// download tries again from the start where the library cannot prove that the rest
// of a broken transfer would fit.
func download(ctx context.Context, client *trulioo.Client, key string, file *os.File) (err error) {
	for range tries {
		if _, err = client.Files.Save(ctx, key, file); err == nil || ctx.Err() != nil {
			return err
		}
		var broken *trulioo.TransportError
		if !errors.As(err, &broken) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := file.Truncate(0); err != nil {
			return err
		}
	}
	return err
}

// fileNames are the safe names of the files; where two would be the same, on any
// file system, all of these have a digest of their key.
func fileNames(refs []trulioo.FileRef) []string {
	count := map[string]int{}
	for _, ref := range refs {
		count[strings.ToLower(ref.Name())]++
	}
	names := make([]string, len(refs))
	for i, ref := range refs {
		names[i] = ref.Name()
		if count[strings.ToLower(ref.Name())] > 1 {
			extension := path.Ext(ref.Name())
			names[i] = strings.TrimSuffix(ref.Name(), extension) + "-" + digest(ref.Key)[:8] + extension
		}
	}
	return names
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
