package trulioo_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// encoding/json fails a whole document for "42", 1.0 or 1e3 where an integer
// is wanted and for "" where a time is: a trap that Time closes.
func TestTimeDecodesEveryForm(t *testing.T) {
	t.Parallel()
	second := time.Date(2024, 6, 10, 9, 22, 43, 0, time.UTC)
	none := time.Time{}
	tests := map[string]time.Time{
		`1718011363`:                       second,
		`1718011363706`:                    second.Add(706 * time.Millisecond),
		`1718011363.0`:                     second,
		`1.718011363e9`:                    second,
		`1.718011363706e12`:                second.Add(706 * time.Millisecond),
		`1718011363.25`:                    second.Add(250 * time.Millisecond),
		`"1718011363"`:                     second,
		`" 1718011363706 "`:                second.Add(706 * time.Millisecond),
		`"1718011363.0"`:                   second,
		`"2024-06-10T09:22:43Z"`:           second,
		`"2024-06-10T11:22:43+02:00"`:      second,
		`"2024-06-10T11:22:43\u002b02:00"`: second,
		`"2024-06-10T09:22:43.706295774Z"`: second.Add(706295774),
		`"2024-06-10T09:22:43"`:            second,
		`"2024-06-10 09:22:43"`:            second,
		`"2024-06-10"`:                     time.Date(2024, 6, 10, 0, 0, 0, 0, time.UTC),
		`1e3`:                              time.Unix(1000, 0),
		`99999999999`:                      time.Unix(99999999999, 0),
		`100000000000`:                     time.UnixMilli(100000000000),
		`-1`:                               time.Unix(-1, 0),
		`-1718011363706`:                   time.UnixMilli(-1718011363706),
		`253402300799999`:                  time.UnixMilli(253402300799999),
		`0`:                                none,
		`0.0`:                              none,
		`"0"`:                              none,
		`null`:                             none,
		`""`:                               none,
		`"  "`:                             none,
		`"yesterday"`:                      none,
		`"NaN"`:                            none,
		`"Inf"`:                            none,
		`true`:                             none,
		`{}`:                               none,
		`[1718011363]`:                     none,
		`253402300800000`:                  time.UnixMicro(253402300800000), // as milliseconds the year 10000
		`1718011363706295`:                 second.Add(706295 * time.Microsecond),
		`"1718011363706295"`:               second.Add(706295 * time.Microsecond),
		`1718011363706295774`:              second.Add(706295774),
		`253402300800000000`:               time.Unix(0, 253402300800000000),
		`9223372036854775807`:              time.Unix(0, math.MaxInt64),
		`-9223372036854775808`:             time.Unix(0, math.MinInt64),
		`"2024-06-10T09:22:43+0000"`:       second,
		`"2024-06-10T11:22:43.0+0200"`:     second,
		`[2024,6,10,9,22,43]`:              second,
		` [2024, 6, 10, 9, 22, 43, 5]`:     second.Add(5),
		`[2024,6,10,9,22]`:                 second.Add(-43 * time.Second),
		`[2024,6,10]`:                      time.Date(2024, 6, 10, 0, 0, 0, 0, time.UTC),
		`[2024,13,10]`:                     none,
		`[2024,6,31,0,0]`:                  none,
		`[2024,6]`:                         none,
		`[2024,6,10,9,22,43,5,1]`:          none,
		`["2024",6,10]`:                    none,
		`[12024,6,10]`:                     none,
		`[2024.5,6,10]`:                    none,
		`[]`:                               none,
		`99999999999999999999999`:          none,
		`1e308`:                            none,
		`"9999-12-31T23:59:59-23:00"`:      none,
		`"0000-01-01T00:00:00+23:00"`:      none,
	}
	for in, want := range tests {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			var got struct{ At trulioo.Time }
			require.NoError(t, json.Unmarshal([]byte(`{"At":`+in+`}`), &got))
			assert.True(t, want.Equal(got.At.Time), "%v", got.At.Time)
			assert.Equal(t, want.IsZero(), got.At.IsZero())
			assert.Equal(t, time.UTC, got.At.Location())
		})
	}
	var absent struct{ At trulioo.Time }
	require.NoError(t, json.Unmarshal([]byte(`{}`), &absent))
	assert.True(t, absent.At.IsZero())
}

func TestTimeEncodesToTheSameInstant(t *testing.T) {
	t.Parallel()
	tests := map[string]time.Time{
		`null`:                             {},
		`1718011363`:                       time.Unix(1718011363, 0).In(time.FixedZone("", 3600)),
		`1718011363706`:                    time.UnixMilli(1718011363706),
		`"2024-06-10T09:22:43.000000001Z"`: time.Unix(1718011363, 1),
		`"1970-01-01T00:00:00Z"`:           time.Unix(0, 0),
		`"1970-01-01T00:00:01.5Z"`:         time.UnixMilli(1500), // as an integer it would be seconds
		`-86400`:                           time.Unix(-86400, 0),
		`"9999-12-31T23:59:59Z"`:           time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		`-62135596799`:                     time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC),
	}
	for want, in := range tests {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			encoded, err := json.Marshal(trulioo.Time{Time: in})
			require.NoError(t, err)
			assert.Equal(t, want, string(encoded))
			var back trulioo.Time
			require.NoError(t, json.Unmarshal(encoded, &back))
			assert.True(t, in.Equal(back.Time), "%v", back)
		})
	}
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{"1718011363", "1718011363706", `"2024-06-10T09:22:43.5+02:00"`, "-1e9", `""`, "null", `"\u0030"`, "-70000000000.1"} {
		f.Add([]byte(seed))
	}
	f.Add([]byte(strings.Repeat("9", 400)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second trulioo.Time
		if json.Unmarshal(data, &first) != nil {
			require.False(t, json.Valid(data), "valid JSON was refused")
			return
		}
		encoded, err := json.Marshal(first)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(encoded, &second))
		require.True(t, first.Equal(second.Time), "%s: %v, %v", encoded, first, second)
	})
}

func FuzzTimeOfInteger(f *testing.F) {
	for _, seed := range []int64{0, 1, -1, 1718011363, 1718011363706, 99_999_999_999, 100_000_000_000, math.MaxInt64, math.MinInt64} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		encoded, err := json.Marshal(n)
		require.NoError(t, err)
		var got trulioo.Time
		require.NoError(t, json.Unmarshal(encoded, &got))
		if !got.IsZero() {
			require.True(t, got.Equal(time.Unix(n, 0)) || got.Equal(time.UnixMilli(n)) || got.Equal(time.UnixMicro(n)) || got.Equal(time.Unix(0, n)))
		}
	})
}
