package sandbox_test

import (
	"bytes"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/sandbox"
)

// Every answer but a token's is late by as much as was asked for, and each request is a
// line of the log, without a secret.
func TestLatencyAndLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		box, err := sandbox.Start(sandbox.Settings{Clients: 3, Latency: 7 * time.Second, Log: &log})
		require.NoError(t, err)
		begun := time.Now()
		page, err := box.Client().Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.NotEmpty(t, page.Data)
		assert.Equal(t, 7*time.Second, time.Since(begun))
		box.Close()
		assert.Regexp(t, `^\d\d:\d\d:\d\d 200 POST /\S+ \S+\n\d\d:\d\d:\d\d 200 GET  /\S+/v2/query/workflows\S* 7s\n$`, log.String())
		assert.NotContains(t, log.String(), box.ClientSecret)
	})
}

// All fail when that is asked for, with the status that is asked for.
func TestSandboxFailsWhenAskedTo(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{0: "503", http.StatusTeapot: "418"} {
		synctest.Test(t, func(t *testing.T) { // the client waits before it tries again
			box, err := sandbox.Start(sandbox.Settings{Clients: 3, Failing: 1, Status: status})
			require.NoError(t, err)
			_, err = box.Client().Workflows.List(t.Context(), nil)
			require.ErrorContains(t, err, want)
			box.Close()
		})
	}
}
