package trulioo_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// Each guess about requests is a setting, by option and by variable, and lists,
// iterators and exports obey it.
func TestDialect(t *testing.T) {
	tests := map[string]struct {
		server   truliootest.Listing
		dialect  trulioo.Dialect
		variable [2]string
	}{
		"milliseconds":      {truliootest.Listing{MillisecondBounds: true}, trulioo.Dialect{TimeUnit: trulioo.TimeUnitMilliseconds}, [2]string{"TRULIOO_TIME_UNIT", "milliseconds"}},
		"repeated statuses": {truliootest.Listing{RepeatedStatuses: true}, trulioo.Dialect{Statuses: trulioo.StatusesRepeated}, [2]string{"TRULIOO_STATUSES", "repeated"}},
		"workflows path":    {truliootest.Listing{WorkflowsPath: "query/flows"}, trulioo.Dialect{WorkflowsPath: "query/flows"}, [2]string{"TRULIOO_WORKFLOWS_PATH", "query/flows"}},
		"all defaults, said": {truliootest.Listing{}, trulioo.Dialect{
			TimeUnit: trulioo.TimeUnitSeconds, Statuses: trulioo.StatusesComma, WorkflowsPath: "query/workflows",
		}, [2]string{"TRULIOO_TIME_UNIT", "seconds"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			srv := truliootest.NewServer(t, truliootest.WithListing(test.server))
			t.Setenv("TRULIOO_CLIENT_ID", srv.ClientID)
			t.Setenv("TRULIOO_CLIENT_SECRET", srv.ClientSecret)
			t.Setenv(test.variable[0], test.variable[1])
			fromEnv, err := trulioo.NewClientFromEnv(trulioo.WithBaseURL(srv.BaseURL), trulioo.WithTokenURL(srv.TokenURL))
			require.NoError(t, err)
			for _, client := range []*trulioo.Client{srv.Client(trulioo.WithDialect(test.dialect)), fromEnv} {
				understood(t, srv, client)
			}
			sibling, err := srv.Client(trulioo.WithDialect(test.dialect)).With(trulioo.WithEnvironment(trulioo.Live))
			require.NoError(t, err)
			understood(t, srv, sibling)
		})
	}
}

// understood makes calls that succeed only for a client with the server's dialect.
func understood(t *testing.T, srv *truliootest.Server, client *trulioo.Client) {
	t.Helper()
	workflows, err := client.Workflows.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, workflows.Data, 5)

	all := allRows(t, client, nil)
	require.Len(t, all, srv.Live.Len())
	middle := all[len(all)/2].Created.Time
	var want []string
	for _, row := range all {
		if row.Created.After(middle) && (row.Status == trulioo.StatusAccepted || row.Status == trulioo.StatusRejected) {
			want = append(want, row.ID)
		}
	}
	require.NotEmpty(t, want)
	options := &trulioo.ClientListOptions{
		After: middle, Before: all[0].Created.Add(time.Hour),
		Statuses: []trulioo.Status{trulioo.StatusAccepted, trulioo.StatusRejected},
	}
	var got []string
	for _, row := range allRows(t, client, options) {
		got = append(got, row.ID)
	}
	assert.ElementsMatch(t, want, got)

	var exported []string
	filter := trulioo.ClientFilter{After: options.After, Before: options.Before, Statuses: options.Statuses}
	for item, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{Filter: filter, SummariesOnly: true}) {
		require.NoError(t, err)
		exported = append(exported, item.Client.ID)
	}
	assert.ElementsMatch(t, want, exported)
}

func allRows(t *testing.T, client *trulioo.Client, options *trulioo.ClientListOptions) []*trulioo.EndClient {
	t.Helper()
	var rows []*trulioo.EndClient
	for row, err := range client.Clients.All(t.Context(), options) {
		require.NoError(t, err)
		rows = append(rows, row)
	}
	return rows
}

// A dialect that cannot be meant is refused, with the name of the field or of
// the variable that said it.
func TestDialectIsChecked(t *testing.T) {
	credentials := trulioo.WithCredentials("id", "secret-of-the-account")
	for field, dialect := range map[string]trulioo.Dialect{
		"WithDialect.TimeUnit":      {TimeUnit: "Seconds"},
		"WithDialect.Statuses":      {Statuses: ";"},
		"WithDialect.WorkflowsPath": {WorkflowsPath: "../v1/query/workflows"},
	} {
		_, err := trulioo.NewClient(credentials, trulioo.WithDialect(dialect))
		var refused *trulioo.ArgumentError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, field, refused.Argument)
	}
	for variable, value := range map[string]string{
		"TRULIOO_TIME_UNIT": "minutes", "TRULIOO_STATUSES": ",", "TRULIOO_WORKFLOWS_PATH": "https://example.com/",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			_, err := trulioo.NewClientFromEnv(credentials)
			var refused *trulioo.ArgumentError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, variable, refused.Argument)

			_, err = trulioo.NewClientFromEnv(credentials, trulioo.WithDialect(trulioo.Dialect{}))
			require.NoError(t, err, "an option wins over the variables")
		})
	}
}
