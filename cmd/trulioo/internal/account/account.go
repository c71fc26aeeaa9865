// Package account keeps the accounts that somebody logged in to: their names and
// addresses in a file, their secrets in the system's keyring only.
package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/zalando/go-keyring"

	"github.com/trulioo-go/trulioo"
)

// Settings hold everything about an account but its secrets. An empty field means the
// library's default.
type Settings struct {
	Environment string `json:"environment,omitempty"` // live or test
	APIVersion  string `json:"apiVersion,omitempty"`  // v2 or v1
	BaseURL     string `json:"baseUrl,omitempty"`
	TokenURL    string `json:"tokenUrl,omitempty"`

	Dialect trulioo.Dialect `json:"dialect,omitzero"` // what "trulioo doctor --save" found out
}

// Secrets are the part of an account that the keyring holds. The two of the webhook can
// be empty.
type Secrets struct {
	ClientID      string `json:"clientId"`
	ClientSecret  string `json:"clientSecret"`
	WebhookToken  string `json:"webhookToken,omitempty"`
	WebhookSecret string `json:"webhookSecret,omitempty"`
}

// service is the keyring's name of this program.
const service = "trulioo-go"

// Book is the file of accounts. It holds no secret.
type Book struct {
	Default  string              `json:"default,omitempty"`
	Accounts map[string]Settings `json:"accounts"`

	path string
}

// Open reads the book in the user's configuration folder. Without a file the book is
// empty.
func Open() (*Book, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, errors.New("no configuration folder: neither HOME nor XDG_CONFIG_HOME is set")
	}
	b := &Book{Accounts: map[string]Settings{}, path: filepath.Join(dir, "trulioo", "accounts.json")}
	data, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the file of accounts cannot be read: %w", cause(err))
	}
	if err := json.Unmarshal(data, b); err != nil {
		return nil, errors.New("the file of accounts is not JSON; remove it and log in again")
	}
	if b.Accounts == nil {
		b.Accounts = map[string]Settings{}
	}
	return b, nil
}

// CheckName refuses a name that cannot be typed, or that looks like a flag.
func CheckName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	if name == "" || len(name) > 40 || name[0] == '-' || strings.Trim(strings.ToLower(name), letters) != "" {
		return errors.New("the name of an account has 1 to 40 letters, digits, dots, dashes and underscores")
	}
	return nil
}

// Add keeps an account, its secrets in the keyring. The first one becomes the default.
func (b *Book) Add(ctx context.Context, name string, settings Settings, secrets Secrets) error {
	data, err := json.Marshal(secrets) //nolint:gosec // for the keyring
	if err != nil {
		return err
	}
	if err := within(ctx, func() error { return keyring.Set(service, name, string(data)) }); err != nil {
		return err
	}
	b.Accounts[name] = settings
	if b.Default == "" {
		b.Default = name
	}
	return b.save()
}

// Remove forgets an account and its secrets.
func (b *Book) Remove(ctx context.Context, name string) error {
	err := within(ctx, func() error {
		if err := keyring.Delete(service, name); !errors.Is(err, keyring.ErrNotFound) {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	delete(b.Accounts, name)
	if b.Default == name {
		b.Default = ""
	}
	return b.save()
}

// Secrets gets an account's secrets from the keyring.
func (b *Book) Secrets(ctx context.Context, name string) (Secrets, error) {
	var s Secrets
	text := ""
	err := within(ctx, func() (err error) {
		text, err = keyring.Get(service, name)
		return err
	})
	if err != nil {
		return s, err
	}
	if json.Unmarshal([]byte(text), &s) != nil {
		return Secrets{}, errors.New("the keyring's entry was not written by this program; log in again")
	}
	return s, nil
}

// SetDefault chooses the account that is used where none is named.
func (b *Book) SetDefault(name string) error {
	b.Default = name
	return b.save()
}

// SetDialect keeps the dialect that an account was found to have.
func (b *Book) SetDialect(name string, d trulioo.Dialect) error {
	settings := b.Accounts[name]
	settings.Dialect = d
	b.Accounts[name] = settings
	return b.save()
}

// save replaces the file as a whole.
func (b *Book) save() error {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(b.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the file of accounts cannot be written: %w", cause(err))
	}
	part, err := os.CreateTemp(dir, "accounts-*")
	if err != nil {
		return fmt.Errorf("the file of accounts cannot be written: %w", cause(err))
	}
	_, err = part.Write(append(data, '\n'))
	err = errors.Join(err, part.Sync(), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), b.path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return fmt.Errorf("the file of accounts cannot be written: %w", cause(err))
	}
	return nil
}

// Options are the options of trulioo.NewClient for the account.
func Options(settings Settings, secrets Secrets) []trulioo.Option {
	opts := []trulioo.Option{trulioo.WithCredentials(secrets.ClientID, secrets.ClientSecret)}
	if settings.Environment != "" {
		opts = append(opts, trulioo.WithEnvironment(trulioo.Environment(settings.Environment)))
	}
	if settings.APIVersion != "" {
		opts = append(opts, trulioo.WithAPIVersion(trulioo.APIVersion(settings.APIVersion)))
	}
	if settings.BaseURL != "" {
		opts = append(opts, trulioo.WithBaseURL(settings.BaseURL))
	}
	if settings.TokenURL != "" {
		opts = append(opts, trulioo.WithTokenURL(settings.TokenURL))
	}
	return append(opts, trulioo.WithDialect(settings.Dialect))
}

// Digest tells accounts apart without naming them, so that data of one account are
// never mixed with those of another, or of its other environment.
func Digest(settings Settings, clientID string) string {
	base := strings.TrimRight(settings.BaseURL, "/")
	if base == "" {
		base = trulioo.DefaultBaseURL
	}
	environment := settings.Environment
	if environment == "" {
		environment = string(trulioo.Live)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", base, clientID, environment))
	return hex.EncodeToString(sum[:8])
}

// within calls the keyring, which may ask a person first and wait for the answer. The
// end of ctx ends the wait and leaves the call behind, since the process then ends.
func within(ctx context.Context, call func() error) error {
	answer := make(chan error, 1)
	go func() { answer <- call() }()
	select {
	case err := <-answer:
		if err != nil {
			return keyringError(err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keyringError says what to do where the keyring fails. It repeats no foreign text that
// could hold a value.
func keyringError(err error) error {
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return errors.New("the keyring has no secret of this account; log in again")
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return errors.New("the secret is too long for this system's keyring")
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return errors.New("this system has no keyring; set TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET instead")
	}
	return errors.New("the system's keyring does not answer (on Linux it needs a Secret Service on D-Bus, such as GNOME Keyring); set TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET instead")
}

// cause is a file error without the path.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	if at, ok := errors.AsType[*os.LinkError](err); ok {
		return at.Err
	}
	return err
}
