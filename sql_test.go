package trulioo_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// They are tested with PostgreSQL and SQLite in contrib/trusql.
var (
	_ sql.Scanner   = (*trulioo.Time)(nil)
	_ sql.Scanner   = (*trulioo.Cursor)(nil)
	_ sql.Scanner   = (*trulioo.Slice)(nil)
	_ driver.Valuer = trulioo.Time{}
	_ driver.Valuer = trulioo.Cursor{}
	_ driver.Valuer = trulioo.Slice{}
)

func TestTimeOfADatabase(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 6, 10, 9, 22, 43, 0, time.UTC)
	precise := at.Add(123456 * time.Microsecond)
	east := time.FixedZone("CEST", 7200)
	for name, tt := range map[string]struct {
		src  any
		want time.Time
	}{
		"NULL":                      {nil, time.Time{}},
		"a timestamp":               {precise, precise},
		"of another zone":           {at.In(east), at},
		"seconds":                   {at.Unix(), at},
		"milliseconds":              {at.UnixMilli(), at},
		"the number 0":              {int64(0), time.Time{}},
		"a decimal":                 {1718011363.5, at.Add(500 * time.Millisecond)},
		"time.Time's text":          {precise.String(), precise},
		"of another zone's text":    {precise.In(east).String(), precise},
		"SQLite's text":             {"2024-06-10 09:22:43.123456+00:00", precise},
		"SQLite's text, west":       {"2024-06-10 04:22:43-05:00", at},
		"SQLite's text, no zone":    {"2024-06-10 09:22:43", at},
		"PostgreSQL's text":         {[]byte("2024-06-10 09:22:43.123456+00"), precise},
		"RFC 3339":                  {"2024-06-10T09:22:43.123456Z", precise},
		"RFC 3339 in bytes":         {[]byte("2024-06-10T11:22:43+02:00"), at},
		"seconds in text":           {"1718011363", at},
		"empty text":                {"", time.Time{}},
		"white space":               {[]byte(" "), time.Time{}},
		"0 in text":                 {"0", time.Time{}},
		"a day":                     {"2024-06-10", at.Truncate(24 * time.Hour)},
		"minutes with a zone":       {"2024-06-10 09:22Z", at.Add(-43 * time.Second)},
		"before 1970 in PostgreSQL": {time.Date(1955, 1, 2, 3, 4, 5, 0, east), time.Date(1955, 1, 2, 1, 4, 5, 0, time.UTC)},
	} {
		got := trulioo.Time{Time: time.Unix(1, 0)} // what was there before goes
		require.NoError(t, got.Scan(tt.src), name)
		assert.Equal(t, tt.want, got.Time, name)

		value, err := got.Value()
		require.NoError(t, err, name)
		assert.Equal(t, tt.want.IsZero(), value == nil, name)
		if value != nil {
			assert.Equal(t, tt.want, value, name)
		}
	}
	for _, src := range []any{"soon", []byte("2024-13-40"), true, struct{}{}} {
		got := trulioo.Time{Time: at}
		var argument *trulioo.ArgumentError
		require.ErrorAs(t, got.Scan(src), &argument, "%v", src)
		assert.Equal(t, "Time", argument.Argument)
		assert.NotContains(t, argument.Error(), "soon", "an error holds no value")
		assert.Equal(t, at, got.Time, "what cannot be read changes nothing")
	}
	value, err := trulioo.Time{Time: at.In(east)}.Value()
	require.NoError(t, err)
	assert.Equal(t, time.UTC, value.(time.Time).Location())
}

// cursorAndSlice are of a real export.
func cursorAndSlice(t *testing.T) (trulioo.Cursor, trulioo.Slice) {
	t.Helper()
	srv := truliootest.NewServer(t)
	client := srv.Client()
	slices, err := client.Clients.Slices(t.Context(), trulioo.ClientFilter{}, 10)
	require.NoError(t, err)
	require.False(t, slices[0].IsZero())
	for item, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{SummariesOnly: true}) {
		require.NoError(t, err)
		require.False(t, item.Cursor.IsZero())
		return item.Cursor, slices[0]
	}
	require.Fail(t, "the export has no item")
	return trulioo.Cursor{}, trulioo.Slice{}
}

func TestCursorAndSliceOfADatabase(t *testing.T) {
	t.Parallel()
	cursor, slice := cursorAndSlice(t)

	value, err := cursor.Value()
	require.NoError(t, err)
	text, err := json.Marshal(cursor)
	require.NoError(t, err)
	require.Equal(t, string(text), value, "a string, so that a text column takes it too")
	var gotCursor trulioo.Cursor
	require.NoError(t, gotCursor.Scan(value))
	assert.Equal(t, cursor, gotCursor)
	gotCursor = trulioo.Cursor{}
	require.NoError(t, gotCursor.Scan(text))
	assert.Equal(t, cursor, gotCursor)

	value, err = slice.Value()
	require.NoError(t, err)
	var gotSlice trulioo.Slice
	require.NoError(t, gotSlice.Scan(value))
	assert.Equal(t, slice, gotSlice)
	require.NoError(t, gotSlice.Scan([]byte(value.(string))))
	assert.Equal(t, slice, gotSlice)

	for name, src := range map[string]any{"NULL": nil, "JSON's null": "null"} {
		gotCursor, gotSlice = cursor, slice
		require.NoError(t, gotCursor.Scan(src), name)
		require.NoError(t, gotSlice.Scan(src), name)
		assert.True(t, gotCursor.IsZero(), name)
		assert.True(t, gotSlice.IsZero(), name)
	}
	value, err = trulioo.Cursor{}.Value()
	require.NoError(t, err)
	assert.Nil(t, value)
	value, err = trulioo.Slice{}.Value()
	require.NoError(t, err)
	assert.Nil(t, value)

	for _, src := range []any{"", "{", `{"secret":1`, []byte("42"), int64(1), true} {
		var argument *trulioo.ArgumentError
		require.ErrorAs(t, gotCursor.Scan(src), &argument, "%v", src)
		assert.Equal(t, "Cursor", argument.Argument)
		require.ErrorAs(t, gotSlice.Scan(src), &argument, "%v", src)
		assert.Equal(t, "Slice", argument.Argument)
	}
}
