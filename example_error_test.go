package trulioo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// The fields hold the server's words. The printed error does not show them.
func ExampleAPIError() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.Fail(truliootest.GetClient, truliootest.Answer(404, `{"code": 4100, "message": "client ada@example.com not found"}`))

	_, err = srv.Client().Clients.Get(context.Background(), "ada", nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, trulioo.ErrNotFound))
	if answered, ok := errors.AsType[*trulioo.APIError](err); ok {
		fmt.Println(answered.StatusCode, answered.Code, answered.Attempts, len(answered.Message))
	}
	// Output:
	// trulioo: get client (live, v2, 127.0.0.1): status 404 Not Found, code 4100
	// true
	// 404 4100 1 32
}

// A value that the server would silently replace by its default is refused before it is sent.
func ExampleArgumentError() {
	client, err := trulioo.NewClient(trulioo.WithCredentials("id", "a secret of some length"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Clients.List(context.Background(), &trulioo.ClientListOptions{Limit: 100})
	fmt.Println(err)
	_, err = trulioo.NewClient(trulioo.WithCredentials("id", ""))
	fmt.Println(err)
	// Output:
	// trulioo: ClientListOptions.Limit: must be 1 to 50, or 0 for the default
	// trulioo: WithCredentials: the client secret must not be empty
}

// slog's JSON handler encodes values, which never redacts. RedactAttr does.
func ExampleRedactAttr() {
	var profile trulioo.Profile
	if err := json.Unmarshal([]byte(ada), &profile); err != nil {
		fmt.Println(err)
		return
	}
	var lines strings.Builder
	logger := slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{ReplaceAttr: trulioo.RedactAttr}))
	logger.Info("done", "result", map[string]any{"profile": profile})
	fmt.Println(strings.Contains(lines.String(), "ada@example.com"))
	// Output: false
}

// Code of one's own, here greet, against the fake server. In a test,
// truliootest.NewServer(t) takes the place of Start and Close.
func Example_testingYourOwnCode() {
	greet := func(ctx context.Context, client *trulioo.Client, id string) (string, error) {
		profile, err := client.Clients.Get(ctx, id, nil)
		if err != nil {
			return "", err
		}
		name, _ := profile.Value(trulioo.RoleFirstName)
		return "Hello " + name, nil
	}

	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	if _, err := srv.Live.Put([]byte(ada)); err != nil {
		fmt.Println(err)
		return
	}
	srv.Fail(truliootest.GetClient, truliootest.Reset(), truliootest.Times(1))
	fmt.Println(greet(context.Background(), srv.Client(), "ada"))
	fmt.Println("requests:", srv.Count(truliootest.GetClient))
	// Output:
	// Hello Ada <nil>
	// requests: 2
}
