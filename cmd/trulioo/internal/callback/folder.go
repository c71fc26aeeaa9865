package callback

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// Folder keeps callbacks as files, to be sent again. It takes the verification token out
// of a body before it writes the body, and puts it back before the body is sent: secrets
// are in the keyring or in the environment, and in no file.
type Folder struct {
	root *os.Root
	mu   sync.Mutex
	n    int
}

// markFile says whose callbacks a folder holds.
const markFile = "callbacks.json"

// kept is a callback as a file has it.
type kept struct {
	At        time.Time   `json:"received"`
	Header    http.Header `json:"header"`
	Parts     []string    `json:"body"`   // the body around the token's value, wherever that stands
	SHA256    string      `json:"sha256"` // of the body as it came
	EventType string      `json:"type"`
	ClientID  string      `json:"client"`
}

var errNoFolder = errors.New("the folder was not made by \"trulioo listen --keep\"")

// OpenFolder makes the folder, or opens one of the same account.
func OpenFolder(dir, account string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := ReadFolder(dir, account)
	if err == nil || !errors.Is(err, errNoFolder) {
		return f, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err == nil && len(entries) > 0 {
		err = errors.New("the folder holds other things; choose an empty or a new one")
	}
	if err == nil {
		err = root.WriteFile(markFile, fmt.Appendf(nil, "{\"account\":%q}\n", account), 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &Folder{root: root}, nil
}

// ReadFolder opens a folder of the same account.
func ReadFolder(dir, account string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	var mark struct {
		Account string `json:"account"`
	}
	data, err := root.ReadFile(markFile)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && json.Unmarshal(data, &mark) != nil:
		err = errNoFolder
	case err == nil && mark.Account != account:
		err = errors.New("the folder holds callbacks of another account, or of the sandbox; choose another folder")
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &Folder{root: root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// passedOn are the headers that a callback keeps on disk.
var passedOn = []string{"Content-Type", "X-Trulioo-Signature", "User-Agent"}

// Add keeps a verified delivery. It is called from many goroutines.
func (f *Folder) Add(d Delivery) error {
	if !d.Verified() {
		return nil
	}
	sum := sha256.Sum256(d.Body)
	k := kept{At: d.At, Header: http.Header{}, SHA256: hex.EncodeToString(sum[:]), EventType: string(d.Event.Type), ClientID: d.Event.ClientID}
	for _, name := range passedOn {
		if values := d.Header.Values(name); len(values) > 0 {
			k.Header[name] = values
		}
	}
	for _, part := range splitToken(d.Event, d.Body) {
		k.Parts = append(k.Parts, string(part))
	}
	data, err := json.MarshalIndent(k, "", " ")
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	name := fmt.Sprintf("%s-%04d.json", d.At.Format("20060102T150405.000"), f.n)
	if err := f.root.WriteFile(name+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return f.root.Rename(name+".new", name)
}

// splitToken cuts a body at its token's value.
func splitToken(ev *trulioo.Event, body []byte) [][]byte {
	token, ok := ev.Field("token")
	if !ok || len(token) < 3 { // "" and null are no secrets
		return [][]byte{body}
	}
	return bytes.Split(body, token)
}

// WithoutToken is the body without the token, for display.
func WithoutToken(ev *trulioo.Event, body []byte) []byte {
	if ev == nil {
		return body
	}
	return bytes.Join(splitToken(ev, body), []byte(`"***"`))
}

// Callback is a kept callback, ready to be sent.
type Callback struct {
	At        time.Time
	EventType string
	ClientID  string
	Header    http.Header
	Body      []byte
	Original  bool // the bytes and the signature are the vendor's own
}

// All reads the kept callbacks, oldest first, with the token put back. If the token has
// changed since, the vendor's own bytes cannot be restored, and the body is signed anew.
func (f *Folder) All(token, secret string) ([]Callback, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var all []Callback
	for _, entry := range entries {
		if entry.Name() == markFile || !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		data, err := f.root.ReadFile(entry.Name())
		if err != nil {
			return nil, err
		}
		var k kept
		if json.Unmarshal(data, &k) != nil || len(k.Parts) == 0 {
			return nil, errors.New("a file of the folder was not written by \"trulioo listen --keep\"")
		}
		all = append(all, k.callback(token, secret))
	}
	slices.SortStableFunc(all, func(a, b Callback) int { return a.At.Compare(b.At) })
	return all, nil
}

// quote is the token as the vendor writes it in JSON, with no more escapes than needed.
func quote(token string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(token) != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (k kept) callback(token, secret string) Callback {
	body := []byte(strings.Join(k.Parts, quote(token)))
	sum := sha256.Sum256(body)
	c := Callback{At: k.At, EventType: k.EventType, ClientID: k.ClientID, Header: k.Header, Body: body}
	c.Original = hex.EncodeToString(sum[:]) == k.SHA256
	if !c.Original {
		c.Header = k.Header.Clone()
		c.Header.Del("X-Trulioo-Signature")
		if signature := (&truliootest.Sender{Secret: secret}).Sign(body); signature != "" {
			c.Header.Set("X-Trulioo-Signature", signature)
		}
	}
	return c
}
