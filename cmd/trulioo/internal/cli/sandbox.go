package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/sandbox"
	"github.com/trulioo-go/trulioo/truliootest"
)

func (a *app) sandboxCommand() *cobra.Command {
	s := sandbox.Settings{}
	var fail, webhook string
	var every time.Duration
	var quiet bool
	command := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a fake API with invented people, for curl and programs in any language",
		Long: `Serves the fake Export API of package truliootest until Ctrl-C, and prints the variables and the curl commands to use it with. Its people
are made up, and the same each time. --webhook sends the callbacks of people who go through its workflows while it runs, signed and
with a token; the variables with the token and the secret are printed. --fail makes a part of the requests fail, to see what a program
does then. A line for each request goes to the standard error.`,
		Example: `  trulioo sandbox
  trulioo sandbox --webhook http://127.0.0.1:3000/trulioo --every 2s
  trulioo sandbox --fail 0.1 --latency 200ms     # one in ten is a 503
  trulioo sandbox --fail 0.5:429`,
	}
	flags := command.Flags()
	flags.StringVar(&s.Address, "addr", "127.0.0.1:8075", "the `host:port` to listen on")
	flags.IntVar(&s.Clients, "clients", sandbox.Clients, "how many end clients the live account has")
	flags.DurationVar(&s.Latency, "latency", 0, "delay each answer by this time")
	flags.StringVar(&fail, "fail", "", "let this `part` of the requests fail, 0 to 1, with status 503 or with the one after a colon")
	flags.StringVar(&webhook, "webhook", "", "send callbacks to this `URL`")
	flags.DurationVar(&every, "every", 3*time.Second, "how long between two callbacks")
	flags.BoolVar(&quiet, "quiet", false, "no line for each request")
	command.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if s.Clients < 0 || s.Latency < 0 || every < 10*time.Millisecond {
			return usage("--clients and --latency must not be negative, and --every must be at least 10ms")
		}
		if s.Failing, s.Status, err = parseFail(fail); err != nil {
			return err
		}
		if err := checkTarget("--webhook", webhook); err != nil {
			return err
		}
		if !quiet {
			s.Log = a.err
		}
		box, err := sandbox.Start(s)
		if err != nil {
			return listenError(err)
		}
		defer box.Close()
		introduce(a.out, box, webhook)
		if webhook != "" {
			return a.walk(cmd.Context(), box, webhook, every)
		}
		<-cmd.Context().Done()
		return cmd.Context().Err()
	}
	return command
}

// walk waits for the receiver's handshake first, as the vendor's builder does.
func (a *app) walk(ctx context.Context, box *sandbox.Sandbox, webhook string, every time.Duration) error {
	if err := box.Handshake(ctx, webhook); err != nil && ctx.Err() == nil {
		fmt.Fprintln(a.err, "handshake:", senderError(ctx, err))
	}
	box.Walk(ctx, webhook, every, func(err error) {
		fmt.Fprintln(a.err, "callback:", senderError(ctx, err))
	})
	return ctx.Err()
}

// parseFail reads PART or PART:STATUS.
func parseFail(text string) (part float64, status int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	number, code, has := strings.Cut(text, ":")
	part, err = strconv.ParseFloat(number, 64)
	if has && err == nil {
		status, err = strconv.Atoi(code)
	} else {
		status = http.StatusServiceUnavailable
	}
	if err != nil || !(part >= 0 && part <= 1) || status < 400 || status > 599 {
		return 0, 0, usage("--fail must be a part from 0 to 1, and a status from 400 to 599 after a colon: 0.1 or 0.1:429")
	}
	return part, status, nil
}

// introduce prints the lines to paste into a shell.
func introduce(out io.Writer, box *sandbox.Sandbox, webhook string) {
	fmt.Fprintf(out, "# The sandbox has %d end clients and runs until Ctrl-C. Paste this into another shell:\n\n", box.Live.Len())
	variables := [][2]string{
		{"TRULIOO_CLIENT_ID", box.ClientID},
		{"TRULIOO_CLIENT_SECRET", box.ClientSecret},
		{"TRULIOO_BASE_URL", box.BaseURL},
		{"TRULIOO_TOKEN_URL", box.TokenURL},
	}
	if webhook != "" {
		variables = append(variables, [2]string{"TRULIOO_WEBHOOK_TOKEN", truliootest.WebhookToken}, [2]string{"TRULIOO_WEBHOOK_SECRET", truliootest.WebhookSecret})
	}
	for _, variable := range variables {
		fmt.Fprintf(out, "export %s=%s\n", variable[0], quote(variable[1]))
	}
	fmt.Fprint(out, `
# Then, for example, trulioo clients --limit 3, or:
TOKEN=$(curl -s "$TRULIOO_TOKEN_URL" -d grant_type=client_credentials -d "client_id=$TRULIOO_CLIENT_ID" --data-urlencode "client_secret=$TRULIOO_CLIENT_SECRET" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s "$TRULIOO_BASE_URL/v2/query/workflows" -H "Authorization: Bearer $TOKEN"
curl -s "$TRULIOO_BASE_URL/v2/query/clients?limit=2" -H "Authorization: Bearer $TOKEN"
`)
	for _, id := range box.Live.IDs() {
		if keys := box.Live.FileKeys(id); len(keys) > 0 {
			fmt.Fprintf(out, "curl -s \"$TRULIOO_BASE_URL/v2/query/client/%s?includeFullServiceDetails=true\" -H \"Authorization: Bearer $TOKEN\"\n", id)
			fmt.Fprintf(out, "curl -s -G \"$TRULIOO_BASE_URL/v2/query/file\" --data-urlencode key=%s -H \"Authorization: Bearer $TOKEN\" -o photo.jpg\n", quote(keys[0]))
			break
		}
	}
	fmt.Fprintln(out)
}

// quote makes one word of a POSIX shell, whatever the secret holds.
func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
