package trulioo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The floor is a user's code written by hand: structs equal to ours, without any of our
// tolerance, that hold the whole answer with the vendor's records.
type (
	floorProfile struct {
		ID                    string               `json:"id"`
		OwnerIDs              []string             `json:"ownerIds"`
		Created               int64                `json:"created"`
		LastModified          int64                `json:"lastModified"`
		ProfileType           string               `json:"profileType"`
		Status                string               `json:"status"`
		StatusManuallyChanged bool                 `json:"statusManuallyChanged"`
		FlowData              map[string]floorFlow `json:"flowData"`
		Notes                 []floorNote          `json:"notes"`
		Tasks                 []floorTask          `json:"tasks"`
		User                  string               `json:"user"`
	}
	floorFlow struct {
		ID               string                `json:"id"`
		Completed        bool                  `json:"completed"`
		FieldData        map[string]floorField `json:"fieldData"`
		FileData         map[string]string     `json:"fileData"`
		EnhancedFileData map[string][]string   `json:"enhancedFileData"`
		ServiceData      []floorService        `json:"serviceData"`
	}
	floorField struct {
		ID             string   `json:"id"`
		Name           string   `json:"name"`
		Value          []string `json:"value"`
		Role           string   `json:"role"`
		NormalizedName string   `json:"normalizedName"`
	}
	floorService struct {
		Timestamp          int64                      `json:"timestamp"`
		ServiceStatus      string                     `json:"serviceStatus"`
		NodeID             string                     `json:"nodeId"`
		NodeTitle          string                     `json:"nodeTitle"`
		NodeType           string                     `json:"nodeType"`
		Match              *bool                      `json:"match"`
		TransactionInfo    TransactionInfo            `json:"transactionInfo"`
		FullServiceDetails *floorDetails              `json:"fullServiceDetails"`
		SecondaryMatch     *bool                      `json:"secondaryMatch"`
		WatchlistResults   map[string]WatchlistResult `json:"watchlistResults"`
	}
	floorNote struct {
		ID        string    `json:"id"`
		Text      string    `json:"text"`
		CreatedBy string    `json:"createdBy"`
		Created   time.Time `json:"created"`
	}
	floorTask struct {
		ID        string    `json:"id"`
		Text      string    `json:"text"`
		Resolved  bool      `json:"resolved"`
		CreatedBy string    `json:"createdBy"`
		UpdatedBy string    `json:"updatedBy"`
		Created   time.Time `json:"created"`
		Updated   time.Time `json:"updated"`
	}
	floorDetails struct {
		TransactionID     string       `json:"TransactionID"`
		UploadedDt        string       `json:"UploadedDt"`
		CompletedDt       string       `json:"CompletedDt"`
		CountryCode       string       `json:"CountryCode"`
		ProductName       string       `json:"ProductName"`
		UserGUID          string       `json:"UserGUID"`
		AccountIdentifier string       `json:"AccountIdentifier"`
		Errors            []floorError `json:"Errors"`
		InputFields       []InputField `json:"InputFields"`
		Record            floorRecord  `json:"Record"`
	}
	floorRecord struct {
		TransactionRecordID string        `json:"TransactionRecordID"`
		RecordStatus        string        `json:"RecordStatus"`
		Errors              []floorError  `json:"Errors"`
		Rule                ServiceRule   `json:"Rule"`
		SupplementaryRules  []ServiceRule `json:"SupplementaryRules"`
		DatasourceResults   []struct {
			DatasourceName   string `json:"DatasourceName"`
			DatasourceFields []struct {
				FieldName string `json:"FieldName"`
				Status    string `json:"Status"`
			} `json:"DatasourceFields"`
			AppendedFields []struct {
				FieldName string `json:"FieldName"`
				Data      any    `json:"Data"`
			} `json:"AppendedFields"`
			Errors      []floorError `json:"Errors"`
			FieldGroups []any        `json:"FieldGroups"`
		} `json:"DatasourceResults"`
	}
	floorError struct {
		Code    any    `json:"Code"`
		Message string `json:"Message"`
	}
)

// smallProfile is testdata/profile.json as the API sends it: no white space.
func smallProfile(tb testing.TB) []byte {
	tb.Helper()
	pretty, err := os.ReadFile("testdata/profile.json")
	require.NoError(tb, err)
	var compact bytes.Buffer
	require.NoError(tb, json.Compact(&compact, pretty))
	return compact.Bytes()
}

// largeProfile is the small one with data sources added to the vendor's record
// up to a size.
func largeProfile(tb testing.TB, size int) []byte {
	tb.Helper()
	small := smallProfile(tb)
	mark := []byte(`"DatasourceResults":[`)
	at := bytes.Index(small, mark) + len(mark)
	require.GreaterOrEqual(tb, at, len(mark))
	large := slices.Clone(small[:at])
	for i := 0; len(large)+len(small)-at < size; i++ {
		large = fmt.Appendf(large, `{"DatasourceName":"Source %d","DatasourceFields":[`, i)
		for j, status := range []string{"match", "nomatch", "missing", "match", "match", "missing"} {
			large = fmt.Appendf(large, `{"FieldName":"Field%d","Status":"%s"},`, j, status)
		}
		large = bytes.TrimSuffix(large, []byte(","))
		large = fmt.Appendf(large, `],"AppendedFields":[{"FieldName":"Address","Data":"%d Rue de l'Église, \"B\""},`+
			`{"FieldName":"Standardized","Data":{"city":"Montréal","unit":%d,"parts":["a","b"]}}],`+
			`"Errors":[{"Code":"%d","Message":"Source not available"}],"FieldGroups":[]},`, i, i, 3000+i)
	}
	return append(large, small[at:]...)
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name string
		body []byte
	}{{"4KB", smallProfile(b)}, {"200KB", largeProfile(b, 200_000)}} {
		one, every := untidy(c.body, false), untidy(c.body, true)
		floor := func() {
			var p floorProfile
			if err := json.Unmarshal(c.body, &p); err != nil {
				b.Fatal(err)
			}
		}
		tidy := decoding(b, c.body, true)
		b.Run(c.name+"/floor", func(b *testing.B) { run(b, len(c.body), floor) })
		for _, pair := range []struct {
			name        string
			ours, floor func()
		}{
			{"left-raw", decoding(b, c.body, false), floor},
			{"details", tidy, floor},
			{"stored", func() {
				var p Profile
				if err := json.Unmarshal(c.body, &p); err != nil {
					b.Fatal(err)
				}
				decodeDetails(b, &p)
			}, floor},
			{"one-untidy", decoding(b, one, true), tidy},
			{"every-untidy", decoding(b, every, true), tidy},
		} {
			b.Run(c.name+"/"+pair.name+"/ours", func(b *testing.B) { run(b, len(c.body), pair.ours) })
			b.Run(c.name+"/"+pair.name+"/paired", func(b *testing.B) { b.ReportMetric(pairedRatio(b, pair.ours, pair.floor), "ratio") })
		}
	}
}

func decoding(b *testing.B, body []byte, details bool) func() {
	b.Helper()
	return func() {
		var p Profile
		if err := p.decode(body); err != nil {
			b.Fatal(err)
		}
		if details {
			decodeDetails(b, &p)
		}
	}
}

func decodeDetails(b *testing.B, p *Profile) {
	for _, flow := range p.FlowData {
		for _, service := range flow.ServiceData {
			if _, err := service.Details(); err != nil && !errors.Is(err, ErrNoDetails) {
				b.Fatal(err)
			}
		}
	}
}

func run(b *testing.B, size int, f func()) {
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		f()
	}
}

// pairedRatio is the median of 200 ratios of the time of ours to that of
// floor, each from two blocks of about 5 ms side by side: the machine's drift
// hits both.
func pairedRatio(b *testing.B, ours, floor func()) float64 {
	const block = 5 * time.Millisecond
	oursRounds, floorRounds := rounds(ours, block), rounds(floor, block)
	ratios := make([]float64, 200)
	for b.Loop() {
		runtime.GC()
		for i := range ratios {
			a := perRound(ours, oursRounds)
			ratios[i] = a / perRound(floor, floorRounds)
		}
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// rounds is how many calls of f take about d.
func rounds(f func(), d time.Duration) int {
	start, n := time.Now(), 0
	for time.Since(start) < 4*d {
		f()
		n++
	}
	return max(1, n/4)
}

func perRound(f func(), n int) float64 {
	start := time.Now()
	for range n {
		f()
	}
	return float64(time.Since(start)) / float64(n)
}

// Decoding takes no more memory in pieces than the floor does, with Raw and
// the tolerance on top.
//
//nolint:paralleltest // AllocsPerRun counts what all tests allocate.
func TestDecodeAllocatesNoMoreThanTheFloor(t *testing.T) {
	for name, body := range map[string][]byte{"4 KB": smallProfile(t), "200 KB": largeProfile(t, 200_000)} {
		ours := testing.AllocsPerRun(20, func() { require.NoError(t, new(Profile).decode(body)) })
		floor := testing.AllocsPerRun(20, func() { require.NoError(t, json.Unmarshal(body, new(floorProfile))) })
		require.LessOrEqual(t, ours, floor, name)
	}
}
