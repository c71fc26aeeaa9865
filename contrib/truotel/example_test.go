package truotel_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truotel"
	"github.com/trulioo-go/trulioo/truliootest"
)

// serve is the README's block, word for word.
func serve() error {
	observer, err := truotel.NewObserver() // of otel's global providers
	if err != nil {
		return err
	}
	client, err := trulioo.NewClientFromEnv(trulioo.WithObserver(observer))
	if err != nil {
		return err
	}
	handler, err := trulioo.NewWebhookHandlerFromEnv(func(ctx context.Context, ev *trulioo.Event) error {
		_, err := client.ForEvent(ev).Clients.Get(ctx, ev.ClientID, nil) // below the webhook's span
		return err
	}, trulioo.WithWebhookObserver(observer))
	if err != nil {
		return err
	}
	http.Handle("POST /trulioo", handler)
	return nil
}

func TestREADMEBlockIsTheCodeAbove(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	code, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, block, ok := strings.Cut(strings.ReplaceAll(string(readme), "\r\n", "\n"), "```go\n")
	require.True(t, ok)
	block, _, ok = strings.Cut(block, "```")
	require.True(t, ok)
	indented := "\t" + strings.ReplaceAll(strings.TrimSpace(block), "\n", "\n\t")
	require.Contains(t, strings.ReplaceAll(string(code), "\r\n", "\n"), indented)
}

// The code that a reader copies also runs.
func TestREADMEBlockRuns(t *testing.T) { //nolint:paralleltest // it sets the environment
	for name, value := range map[string]string{
		"TRULIOO_CLIENT_ID": "id", "TRULIOO_CLIENT_SECRET": "secret", "TRULIOO_WEBHOOK_TOKEN": "token",
	} {
		t.Setenv(name, value)
	}
	mux := http.DefaultServeMux
	http.DefaultServeMux = http.NewServeMux()
	t.Cleanup(func() { http.DefaultServeMux = mux })
	require.NoError(t, serve())
}

// The README and the package's overview name every metric and span there is.
func TestDocumentationNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	meters, err := os.ReadFile("meters.go")
	require.NoError(t, err)
	for _, file := range []string{"README.md", "truotel.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for part := range strings.SplitSeq(string(meters), `"`) {
			if strings.HasPrefix(part, "trulioo.") || strings.HasPrefix(part, "http.") {
				require.Contains(t, string(text), part, file)
			}
		}
	}
}

func ExampleNewObserver() {
	exporter := tracetest.NewInMemoryExporter()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	observer, err := truotel.NewObserver(truotel.WithTracerProvider(tracers))
	if err != nil {
		log.Fatal(err)
	}
	srv, err := truliootest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	client := srv.Client(trulioo.WithObserver(observer))
	if _, err := client.Workflows.List(context.Background(), nil); err != nil {
		log.Fatal(err)
	}
	for _, span := range exporter.GetSpans() { // in the order of their ends
		fmt.Println(span.Name)
	}
	// Output:
	// POST
	// trulioo fetch token
	// GET
	// trulioo list workflows
}
