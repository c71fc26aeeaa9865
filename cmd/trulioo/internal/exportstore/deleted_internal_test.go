package exportstore

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that the list did not show is deleted only where the list was proved whole.
func TestNobodyIsDeletedWithoutProof(t *testing.T) {
	t.Parallel()
	for unproven, left := range map[string]int{"the list moves": 2, "": 1} {
		store, err := OpenCSV(filepath.Join(t.TempDir(), "people.csv"))
		require.NoError(t, err)
		for _, id := range []string{"here", "away"} {
			require.NoError(t, store.Put(t.Context(), Record{Account: "a", ClientID: id}, nil))
		}
		job := &Job{Account: "a", Store: store, Gone: true, DeleteGone: true}
		kept, err := job.kept(t.Context())
		require.NoError(t, err)
		kept.clients["here"].seen = true
		result, err := job.gone(t.Context(), kept, Result{Unproven: unproven})
		require.NoError(t, err)
		assert.Equal(t, 1, result.Gone)
		n := 0
		for _, err := range store.Records(t.Context()) {
			require.NoError(t, err)
			n++
		}
		assert.Equal(t, left, n)
		require.NoError(t, store.Close(t.Context(), true))
	}
}
