package cli

import (
	"context"
	"errors"
	"os"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/account"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/sandbox"
	"github.com/trulioo-go/trulioo/truliootest"
)

// access is an account that was chosen.
type access struct {
	client  *trulioo.Client
	name    string           // for people: nothing of it is secret
	digest  string           // tells accounts apart, so that their data are never mixed
	box     *sandbox.Sandbox // nil for a real account
	secrets account.Secrets
	details [][2]string // for whoami
	login   string      // the account of "trulioo login"; "" for others
}

// errNoAccount names the ways to choose an account.
var errNoAccount = errors.New("no account: log in with \"trulioo login\", set TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET, or look around with --sandbox")

func (x *access) close() {
	if x.client != nil {
		x.client.CloseIdleConnections()
	}
	if x.box != nil {
		x.box.Close()
	}
}

// open chooses the account as the root's help says.
func (a *app) open(ctx context.Context) (*access, error) {
	if a.sandbox {
		return a.openSandbox(sandbox.Settings{Clients: sandbox.Clients}) //nolint:contextcheck // a sandbox listens until it is closed
	}
	if a.account == "" && os.Getenv("TRULIOO_CLIENT_ID") != "" {
		return a.openVariables()
	}
	return a.openLogin(ctx)
}

// openSandbox starts a sandbox in this process.
func (a *app) openSandbox(s sandbox.Settings) (*access, error) {
	box, err := sandbox.Start(s)
	if err != nil {
		return nil, err
	}
	secrets := account.Secrets{
		ClientID: box.ClientID, ClientSecret: box.ClientSecret,
		WebhookToken: truliootest.WebhookToken, WebhookSecret: truliootest.WebhookSecret,
	}
	x := &access{name: "sandbox", digest: "sandbox-" + a.half(""), box: box, secrets: secrets}
	x.details = [][2]string{{"account", "sandbox"}, {"environment", a.half("")}}
	return a.with(x, box.Options())
}

// openVariables takes the account from the environment's variables.
func (a *app) openVariables() (*access, error) {
	settings := account.Settings{
		Environment: os.Getenv("TRULIOO_ENVIRONMENT"), APIVersion: os.Getenv("TRULIOO_API_VERSION"),
		BaseURL: os.Getenv("TRULIOO_BASE_URL"), TokenURL: os.Getenv("TRULIOO_TOKEN_URL"),
	}
	settings.Environment = a.half(settings.Environment)
	x := &access{
		name:    "the account of TRULIOO_CLIENT_ID (" + settings.Environment + ")",
		digest:  account.Digest(settings, os.Getenv("TRULIOO_CLIENT_ID")),
		secrets: account.Secrets{WebhookToken: os.Getenv("TRULIOO_WEBHOOK_TOKEN"), WebhookSecret: os.Getenv("TRULIOO_WEBHOOK_SECRET")},
		details: describe("the variables TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET", settings),
	}
	client, err := trulioo.NewClientFromEnv(trulioo.WithEnvironment(trulioo.Environment(settings.Environment)))
	x.client = client
	return x, err
}

// openLogin takes an account of the keyring.
func (a *app) openLogin(ctx context.Context) (*access, error) {
	book, err := account.Open()
	if err != nil {
		return nil, err
	}
	name := a.account
	if name == "" {
		name = book.Default
	}
	settings, known := book.Accounts[name]
	switch {
	case name == "" || !known && a.account == "":
		return nil, errNoAccount
	case !known:
		return nil, errors.New("there is no account with this name; \"trulioo whoami\" lists them")
	}
	secrets, err := book.Secrets(ctx, name)
	if err != nil {
		return nil, err
	}
	settings.Environment = a.half(settings.Environment)
	x := &access{
		name:    name + " (" + settings.Environment + ")",
		digest:  account.Digest(settings, secrets.ClientID),
		secrets: secrets,
		login:   name,
		details: describe("login "+name, settings),
	}
	return a.with(x, account.Options(settings, secrets)) //nolint:contextcheck // a sandbox listens until it is closed
}

// half is the environment that counts: the flag's, else the account's, else live.
func (a *app) half(own string) string {
	switch {
	case a.environment != "":
		return a.environment
	case own != "":
		return own
	}
	return string(trulioo.Live)
}

// with makes the client.
func (a *app) with(x *access, opts []trulioo.Option) (*access, error) {
	if a.environment != "" {
		opts = append(opts, trulioo.WithEnvironment(trulioo.Environment(a.environment)))
	}
	client, err := trulioo.NewClient(opts...)
	if err != nil {
		x.close()
		return nil, err
	}
	x.client = client
	return x, nil
}

// describe gives the lines that whoami prints, without an id or a secret.
func describe(from string, s account.Settings) [][2]string {
	details := [][2]string{{"account", from}, {"environment", s.Environment}}
	for _, line := range [][2]string{{"version", s.APIVersion}, {"base URL", s.BaseURL}, {"token URL", s.TokenURL}} {
		if line[1] != "" {
			details = append(details, line)
		}
	}
	return details
}
