// Package bundle puts everything about one end client into one place, for an
// auditor or for the person: the API's answer byte for byte, every photo and
// document, a page that can be read and printed, and a manifest with the digest
// of each.
//
//	err := bundle.Save(ctx, client, clientID, "ada") // a folder
//	err = bundle.Write(ctx, client, clientID, w)     // the same as a zip
//
// It is a package of its own so that programs which need no page do not carry
// html/template.
package bundle

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/trulioo-go/trulioo"
)

// The names in a bundle. Files are below FilesName, each with its
// trulioo.FileRef.UniqueName.
const (
	ProfileName  = "profile.json"
	PageName     = "index.html"
	ManifestName = "manifest.json"
	FilesName    = "files"
)

// Manifest is the content of manifest.json.
type Manifest struct {
	ClientID string    `json:"clientId"`
	Made     time.Time `json:"made"`     // when the bundle was made, by this machine's clock
	Complete bool      `json:"complete"` // every file of the profile is there
	Entries  []Entry   `json:"entries"`  // all but the manifest itself
	Missing  []Missing `json:"missing"`  // files of the profile that could not be downloaded
}

// Entry is one file of a bundle.
type Entry struct {
	Name    string `json:"name"` // with slashes, below the bundle's folder
	Size    int64  `json:"size"` // in bytes
	SHA256  string `json:"sha256"`
	FlowID  string `json:"flowId,omitempty"`  // the flow that a photo or document was uploaded in
	FieldID string `json:"fieldId,omitempty"` // the field that it was uploaded in
}

// Missing is a file of the profile that is not in the bundle.
type Missing struct {
	FlowID  string `json:"flowId"`
	FieldID string `json:"fieldId"`
	Reason  string `json:"reason"` // in this library's words
}

// Format prints the type's name only: it is about a person.
func (Manifest) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "bundle.Manifest") }

// LogValue is the type's name only, for slog.
func (Manifest) LogValue() slog.Value { return slog.StringValue("bundle.Manifest") }

// Save makes the bundle of a client in a folder, which it creates if needed. Every
// file that it writes is whole or absent, with mode 0600, and the manifest comes
// last: a folder without one is not finished, and another call of Save goes on.
// Files that are there are not downloaded again.
//
// A photo or document that cannot be downloaded is listed as missing, on the page
// too; the bundle is then finished without it, and the error joins the
// *trulioo.FileError of each. Any other error leaves the bundle unfinished.
func Save(ctx context.Context, client *trulioo.Client, clientID, dir string) error {
	switch {
	case client == nil:
		return &trulioo.ArgumentError{Argument: "client", Reason: "must not be nil"}
	case dir == "":
		return &trulioo.ArgumentError{Argument: "dir", Reason: "must not be empty"}
	}
	profile, err := client.Clients.Get(ctx, clientID, &trulioo.GetOptions{FullServiceDetails: true})
	if err != nil {
		return err
	}
	saved, missing := client.Files.SaveAll(ctx, filepath.Join(dir, FilesName), profile)
	if ctx.Err() != nil {
		return missing
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return failed("open the folder", err)
	}
	defer func() { _ = root.Close() }()
	b := &builder{root: root, profile: profile, manifest: Manifest{
		ClientID: profile.ID, Made: time.Now().UTC(), Entries: []Entry{}, Missing: []Missing{},
	}}
	return errors.Join(b.build(saved, missing), missing)
}

// Write is Save for a zip. It makes the zip from a temporary folder of mode 0700,
// which it removes before it returns. After an error w holds no readable zip, unless
// the error is that of missing files.
func Write(ctx context.Context, client *trulioo.Client, clientID string, w io.Writer) error {
	if w == nil {
		return &trulioo.ArgumentError{Argument: "w", Reason: "must not be nil"}
	}
	dir, err := os.MkdirTemp("", "trulioo-bundle-")
	if err != nil {
		return failed("make a temporary folder", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	missing := Save(ctx, client, clientID, dir)
	if _, err := os.Stat(filepath.Join(dir, ManifestName)); err != nil {
		return missing // the folder is not finished
	}
	archive := zip.NewWriter(w)
	if err := errors.Join(archive.AddFS(os.DirFS(dir)), archive.Close()); err != nil {
		return failed("write the zip", err)
	}
	return missing
}

// builder makes a bundle from a profile and its files.
type builder struct {
	root     *os.Root
	profile  *trulioo.Profile
	manifest Manifest
	photos   []photo
}

func (b *builder) build(saved []trulioo.SavedFile, missing error) error {
	_ = b.root.Remove(ManifestName) // an earlier bundle's manifest may not be true for this one
	for _, file := range saved {
		if err := b.addFile(file); err != nil {
			return err
		}
	}
	b.addMissing(saved, missing)
	b.manifest.Complete = len(b.manifest.Missing) == 0
	if err := b.write(ProfileName, b.profile.Raw); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, bundlePage(b)); err != nil {
		return errors.New("bundle: the page could not be made") // the template's error can hold values
	}
	if err := b.write(PageName, page.Bytes()); err != nil {
		return err
	}
	text, err := json.Marshal(b.manifest, jsontext.WithIndent("  "), jsontext.AllowInvalidUTF8(true), json.FormatNilSliceAsNull(true))
	if err != nil {
		return failed("write the manifest", err)
	}
	return b.put(ManifestName, append(text, '\n'))
}

// addFile adds a photo or document that is in the folder to the manifest.
func (b *builder) addFile(saved trulioo.SavedFile) error {
	name := FilesName + "/" + saved.Name
	file, err := b.root.Open(name)
	if err != nil {
		return failed("read a file", err)
	}
	defer func() { _ = file.Close() }()
	kept, sum := &head{}, sha256.New()
	size, err := io.Copy(io.MultiWriter(sum, kept), file)
	if err != nil {
		return failed("read a file", err)
	}
	entry := Entry{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)), FlowID: saved.Ref.FlowID, FieldID: saved.Ref.Field}
	b.manifest.Entries = append(b.manifest.Entries, entry)
	b.photos = append(b.photos, photo{entry, kept.image()})
	return nil
}

// addMissing lists the files of the profile that are not among the saved ones.
func (b *builder) addMissing(saved []trulioo.SavedFile, missing error) {
	reasons := map[trulioo.FileRef]string{}
	collect(missing, reasons)
	there := map[trulioo.FileRef]bool{}
	for _, file := range saved {
		there[file.Ref] = true
	}
	for _, ref := range b.profile.Files() {
		if !there[ref] {
			b.manifest.Missing = append(b.manifest.Missing, Missing{FlowID: ref.FlowID, FieldID: ref.Field, Reason: reasons[ref]})
		}
	}
}

// collect finds the reason of each *trulioo.FileError in a joined error.
func collect(err error, reasons map[trulioo.FileRef]string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			collect(one, reasons)
		}
		return
	}
	if file, ok := errors.AsType[*trulioo.FileError](err); ok {
		reasons[file.Ref] = file.Error()
	}
}

// write puts a file into the folder and into the manifest.
func (b *builder) write(name string, content []byte) error {
	sum := sha256.Sum256(content)
	b.manifest.Entries = append(b.manifest.Entries, Entry{Name: name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
	return b.put(name, content)
}

// put writes a file, so that it is whole or absent.
func (b *builder) put(name string, content []byte) error {
	unfinished := "." + name + "." + rand.Text() + ".part"
	file, err := b.root.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return failed("write "+name, err)
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = b.root.Rename(unfinished, name)
	}
	if err != nil {
		_ = b.root.Remove(unfinished)
	}
	return failed("write "+name, err)
}

// failed names the operation that failed, without the path, which can be personal.
func failed(operation string, err error) error {
	if err == nil {
		return nil
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	} else if link, ok := errors.AsType[*os.LinkError](err); ok {
		err = link.Err
	}
	return fmt.Errorf("bundle: %s: %w", operation, err)
}
