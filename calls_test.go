package trulioo_test

import (
	"context"
	"io"
	"net/url"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// everyCall is every call of the API, by its operation, with every parameter that it
// has. The golden file of routes and the canary share it, so that a new call stands
// in one place. Every argument of text is marked.
func everyCall(t *testing.T, client *trulioo.Client) map[truliootest.Operation][]func(context.Context) (any, error) {
	t.Helper()
	at := time.Date(2024, 6, 10, 9, 22, 43, 500, time.UTC)
	list := full(t, &trulioo.ListOptions{Limit: 50, Page: 2})
	filtered := full(t, &trulioo.ClientListOptions{Limit: 1, Page: 3, After: at, Before: at.Add(time.Hour),
		Statuses: []trulioo.Status{trulioo.StatusAccepted, trulioo.StatusPendingReview}, FlowID: mark + "a&b=c"})
	profile := full(t, &trulioo.GetOptions{FullServiceDetails: true})
	return map[truliootest.Operation][]func(context.Context) (any, error){
		truliootest.ListWorkflows: {
			func(ctx context.Context) (any, error) { return some(client.Workflows.List(ctx, list)) },
			func(ctx context.Context) (any, error) { return collect(client.Workflows.All(ctx, nil)) },
		},
		truliootest.ListClients: {
			func(ctx context.Context) (any, error) { return some(client.Clients.List(ctx, nil)) },
			func(ctx context.Context) (any, error) { return some(client.Clients.List(ctx, filtered)) },
			func(ctx context.Context) (any, error) { return collect(client.Clients.All(ctx, nil)) },
			func(ctx context.Context) (any, error) {
				raw, err := client.GetJSON(ctx, "query/clients", url.Values{"limit": {"50"}, "flowId": {mark}})
				return len(raw), err
			},
		},
		truliootest.GetClient: {
			func(ctx context.Context) (any, error) { return some(client.Clients.Get(ctx, markedClient, nil)) },
			func(ctx context.Context) (any, error) { return some(client.Clients.Get(ctx, markedClient, profile)) },
		},
		truliootest.DownloadFile: {
			func(ctx context.Context) (any, error) { return download(ctx, client, markedFileKey) },
			func(ctx context.Context) (any, error) { return client.Files.Save(ctx, markedFileKey, io.Discard) },
			func(ctx context.Context) (any, error) { return saveAll(ctx, client, markedFileKey) },
		},
	}
}

// jsonCalls are the calls that get JSON: the tests of untidy answers, of redirects and of
// errors on the way make all of them.
func jsonCalls(client *trulioo.Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Workflows.List": func(ctx context.Context) error { _, err := client.Workflows.List(ctx, nil); return err },
		"Clients.List":   func(ctx context.Context) error { _, err := client.Clients.List(ctx, nil); return err },
		"Clients.Get":    func(ctx context.Context) error { _, err := client.Clients.Get(ctx, "id", nil); return err },
		"GetJSON":        func(ctx context.Context) error { _, err := client.GetJSON(ctx, "query/clients", nil); return err },
	}
}

// A new route is called with all its parameters, by the golden file and the canary
// alike, and by the tests of what can go wrong with a call.
func TestEveryRouteIsCalled(t *testing.T) {
	t.Parallel()
	srv := markedServer(t)
	calls := everyCall(t, srv.Client())
	for _, call := range jsonCalls(srv.Client()) {
		_ = call(t.Context()) // an error that it is not found will do
	}
	for name, path := range tableOfRoutes(t) {
		operation := truliootest.Operation(name)
		assert.NotEmpty(t, calls[operation], "everyCall has no call of %q, %s", operation, path)
		if operation != truliootest.DownloadFile {
			assert.Positive(t, srv.Count(operation), "jsonCalls has no call of %q, %s", operation, path)
		}
	}
}

// full demands that every field of the options is set, so that a new one cannot be forgotten.
func full[T any](t *testing.T, options *T) *T {
	t.Helper()
	value := reflect.ValueOf(options).Elem()
	for field, v := range value.Fields() {
		assert.False(t, v.IsZero(), "everyCall does not set %s.%s", value.Type(), field.Name)
	}
	return options
}

// some keeps a nil pointer from becoming a value that is not nil.
func some[T any](value *T, err error) (any, error) {
	if value == nil {
		return nil, err
	}
	return value, err
}

func collect[T any](rows func(func(*T, error) bool)) (any, error) {
	var all []*T
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

func download(ctx context.Context, client *trulioo.Client, key string) (any, error) {
	file, err := client.Files.Download(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Body.Close() }()
	_, err = io.Copy(io.Discard, file.Body)
	return file, err
}

func saveAll(ctx context.Context, client *trulioo.Client, key string) (any, error) {
	dir, err := os.MkdirTemp("", mark)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	profile := &trulioo.Profile{FlowData: map[string]trulioo.Flow{mark: {FileData: map[string]string{mark: key}}}}
	return client.Files.SaveAll(ctx, dir, profile)
}
