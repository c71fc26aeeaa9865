package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/account"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

func (a *app) login() *cobra.Command {
	var settings account.Settings
	var webhook, unchecked bool
	command := &cobra.Command{
		Use:   "login [NAME]",
		Short: "Put an account's credentials into the system's keyring",
		Long: `Asks for the client id and the client secret, tries them, and puts them into the system's keyring under a name; "default" if
none is given. The secret is not shown while it is typed. If the input is not a terminal, the two are read from it, a line each.
A file in the user's configuration folder holds the names and the addresses of the accounts, and no secret. The default account is
the one that was logged in to last.`,
		Example: `  trulioo login
  trulioo login acme-test --environment test
  pass show trulioo | trulioo login acme        # the client id, then the secret, on two lines`,
		Args: atMostOne("the account's name"),
	}
	flags := command.Flags()
	flags.StringVar(&settings.APIVersion, "api-version", "", "v2 (the default) or v1")
	flags.StringVar(&settings.BaseURL, "base-url", "", "the `address` of the API, if it is not the usual one")
	flags.StringVar(&settings.TokenURL, "token-url", "", "the `address` of the token endpoint, if it is not the usual one")
	flags.BoolVar(&webhook, "webhook", false, "ask also for the verification token and the signing secret of callbacks")
	flags.BoolVar(&unchecked, "no-check", false, "do not try the credentials")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		name := "default"
		if len(args) == 1 {
			name = args[0]
		}
		if err := account.CheckName(name); err != nil {
			return usage(err.Error())
		}
		if a.sandbox || a.account != "" {
			return usage("--sandbox and --account have nothing to log in to; give the name as an argument")
		}
		settings.Environment = a.environment
		return a.keepLogin(cmd.Context(), name, settings, webhook, unchecked)
	}
	return command
}

func (a *app) keepLogin(ctx context.Context, name string, settings account.Settings, webhook, unchecked bool) error {
	book, err := account.Open()
	if err != nil {
		return err
	}
	secrets, err := a.askSecrets(ctx, webhook)
	if err != nil {
		return err
	}
	client, err := trulioo.NewClient(account.Options(settings, secrets)...)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if !unchecked {
		if _, err := client.Workflows.List(ctx, &trulioo.ListOptions{Limit: 1}); err != nil {
			return err
		}
	}
	if err := book.Add(ctx, name, settings, secrets); err != nil {
		return err
	}
	if err := book.SetDefault(name); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "logged in as %s, the default account from now on\n", name)
	return nil
}

func (a *app) askSecrets(ctx context.Context, webhook bool) (account.Secrets, error) {
	var s account.Secrets
	questions := []question{{"client id", false, &s.ClientID}, {"client secret", true, &s.ClientSecret}}
	if webhook {
		questions = append(questions,
			question{"verification token of the workflow builder (empty for none)", true, &s.WebhookToken},
			question{"signing secret of callbacks (empty for none)", true, &s.WebhookSecret})
	}
	for i, q := range questions {
		answer, err := a.ask.Ask(ctx, q.text, q.hidden)
		if err != nil {
			return s, err
		}
		if answer == "" && i < 2 {
			return s, fmt.Errorf("the %s is empty", q.text)
		}
		*q.into = answer
	}
	return s, nil
}

// question is one thing to ask for.
type question struct {
	text   string
	hidden bool
	into   *string
}

func (a *app) logout() *cobra.Command {
	command := &cobra.Command{
		Use:     "logout [NAME]",
		Short:   "Take an account's credentials out of the keyring",
		Long:    `Takes an account out of the keyring and out of the list of accounts. Without a name it is the default account.`,
		Example: "  trulioo logout acme-test",
		Args:    atMostOne("the account's name"),
	}
	command.RunE = func(cmd *cobra.Command, args []string) error {
		book, err := account.Open()
		if err != nil {
			return err
		}
		name := book.Default
		if len(args) == 1 {
			name = args[0]
		}
		if _, known := book.Accounts[name]; !known {
			return errors.New("there is no such account; \"trulioo whoami\" lists them")
		}
		if err := book.Remove(cmd.Context(), name); err != nil {
			return err
		}
		fmt.Fprintf(a.err, "logged out of %s\n", name)
		return nil
	}
	return command
}

func (a *app) whoami() *cobra.Command {
	command := &cobra.Command{
		Use:   "whoami",
		Short: "Say which account is used, and try it",
		Long: `Says which account the other commands use now and where it comes from, asks the API for one workflow to see that it works, and
lists the accounts of "trulioo login". It prints no id and no secret.`,
		Example: `  trulioo whoami
  trulioo whoami --account acme-test`,
	}
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		x, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer x.close()
		for _, line := range x.details {
			fmt.Fprintf(a.out, "%s %s\n", term.Pad(line[0]+":", 13), term.Clean(line[1]))
		}
		a.listLogins()
		page, err := x.client.Workflows.List(cmd.Context(), &trulioo.ListOptions{Limit: 1})
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s %s, %d workflows\n", term.Pad("credentials:", 13), a.out.Paint(term.Green, "work"), max(page.TotalElements, len(page.Data)))
		return nil
	}
	return command
}

// listLogins lists the logins. It prints nothing where there are none.
func (a *app) listLogins() {
	book, err := account.Open()
	if err != nil || len(book.Accounts) == 0 {
		return
	}
	for i, name := range slices.Sorted(maps.Keys(book.Accounts)) {
		title := ""
		if i == 0 {
			title = "logins:"
		}
		if name == book.Default {
			name += " (default)"
		}
		fmt.Fprintf(a.out, "%s %s\n", term.Pad(title, 13), term.Clean(name))
	}
}

// atMostOne is for commands with an argument that has a default.
func atMostOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("it takes at most one argument: " + what)
		}
		return nil
	}
}
