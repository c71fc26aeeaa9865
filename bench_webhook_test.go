package trulioo_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// floorEvent has the fields of an Event, for encoding/json.
type floorEvent struct {
	ClientID string `json:"id"`
	Token    string `json:"token"`
	Kind     string `json:"type"`
	Event    struct {
		Type trulioo.EventType `json:"type"`
		Time trulioo.Time      `json:"ts"`
		User string            `json:"user"`
	} `json:"event"`
	FlowID      string                 `json:"flowId"`
	NodeID      string                 `json:"nodeId"`
	UserID      string                 `json:"userId"`
	ServiceType trulioo.ServiceType    `json:"serviceType"`
	Test        bool                   `json:"test"`
	Retry       int                    `json:"retry"`
	ServiceData *trulioo.ServiceResult `json:"serviceData"`
}

// floor does the steps that every receiver needs: read, HMAC, decode, 200.
func floor(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	given, err := hex.DecodeString(r.Header.Get("X-Trulioo-Signature"))
	if err != nil || !hmac.Equal(mac.Sum(nil), given) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var ev floorEvent
	if json.Unmarshal(body, &ev) != nil || ev.ClientID == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// benchBody is a callback of about 2 KB that differs in its time.
func benchBody(i int) []byte {
	return fmt.Appendf(nil, `{"id":"667b1c2f9d3e4a0012ab34cd","token":"%s","type":"EVENT_CALLBACK",`+
		`"event":{"type":"SERVICE_SUBMIT","ts":%d,"user":"end-user"},"flowId":"6650f1e2a9b8c70012345678",`+
		`"nodeId":"6650f1e2a9b8c70012345699","userId":"6650f1e2a9b8c700123456aa","serviceType":"TRULIOO_EIDV","test":false,"retry":0,`+
		`"serviceData":{"timestamp":1718011363,"serviceStatus":"COMPLETED","nodeId":"6650f1e2a9b8c70012345699","nodeTitle":"Identity check",`+
		`"nodeType":"trulioo_person_wl","match":true,"transactionInfo":{"accountName":"example","accountIdentifier":"acc-1","countryCode":"CA",`+
		`"date":"2024-06-10T09:22:43Z","shareableToken":"","transactionId":"0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0","transactionRecordId":"9f8e7d6c-5b4a-3928-1706-f5e4d3c2b1a0","userName":"api-user"},`+
		`"fullServiceDetails":{"TransactionID":"0b1c2d3e","UploadedDt":"2024-06-10T09:22:43","CountryCode":"CA","ProductName":"Identity Verification",`+
		`"Record":{"TransactionRecordID":"9f8e7d6c","RecordStatus":"match","DatasourceResults":[{"DatasourceName":"Credit Agency","DatasourceFields":[`+
		`{"FieldName":"FirstGivenName","Status":"match"},{"FieldName":"FirstSurName","Status":"match"},{"FieldName":"DayOfBirth","Status":"match"},`+
		`{"FieldName":"MonthOfBirth","Status":"match"},{"FieldName":"YearOfBirth","Status":"nomatch"},{"FieldName":"PostalCode","Status":"missing"}],"AppendedFields":[],"Errors":[],"FieldGroups":[]}],`+
		`"Rule":{"RuleName":"1 of 1","Note":""}}},"secondaryMatch":null,"watchlistResults":{"Advanced Watchlist":{"watchlistStatus":"No Hit",`+
		`"watchlistHitDetails":{"wlHitsNumber":0,"amHitsNumber":0,"pepHitsNumber":0}}}}}`, hookToken, 1718011363+i)
}

const (
	hookToken  = "verification-token-of-the-builder"
	hookSecret = "shared-secret-of-the-account"
)

func benchRequest(i int) *http.Request {
	body := benchBody(i)
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Trulioo-Signature", sign(body, hookSecret))
	return r
}

func sign(body []byte, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func benchHandler(tb testing.TB) http.Handler {
	tb.Helper()
	h, err := trulioo.NewWebhookHandler(func(context.Context, *trulioo.Event) error { return nil },
		trulioo.WithSigningSecret(hookSecret), trulioo.WithVerificationToken(hookToken))
	require.NoError(tb, err)
	return h
}

// discard is a ResponseWriter without the recorder's own cost.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// SetReadDeadline does nothing. net/http's own writer has it, so the handler calls it.
func (d *discard) SetReadDeadline(time.Time) error { return nil }

func benchServe(b *testing.B, h http.Handler) {
	b.Helper()
	b.ReportAllocs()
	for i := range b.N {
		b.StopTimer()
		r, w := benchRequest(i), &discard{header: http.Header{}}
		b.StartTimer()
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatal("status " + strconv.Itoa(w.status))
		}
	}
}

func BenchmarkWebhookFloor(b *testing.B)   { benchServe(b, http.HandlerFunc(floor)) }
func BenchmarkWebhookHandler(b *testing.B) { benchServe(b, benchHandler(b)) }

// BenchmarkWebhookAgainstFloor alternates blocks of the two and reports the
// median of the paired ratios, which drift does not touch.
func BenchmarkWebhookAgainstFloor(b *testing.B) {
	const pairs, block = 200, 100
	ours, other := benchHandler(b), http.HandlerFunc(floor)
	next := 0
	measure := func(h http.Handler) time.Duration {
		requests := make([]*http.Request, block)
		writers := make([]*discard, block)
		for i := range requests {
			requests[i], writers[i] = benchRequest(next), &discard{header: make(http.Header, 4)}
			next++
		}
		begun := time.Now()
		for i, r := range requests {
			h.ServeHTTP(writers[i], r)
		}
		took := time.Since(begun)
		for _, w := range writers {
			if w.status != http.StatusOK {
				b.Fatal("status " + strconv.Itoa(w.status))
			}
		}
		return took
	}
	for b.Loop() {
		ratios := make([]float64, 0, pairs)
		for i := range pairs {
			first, second := http.Handler(ours), http.Handler(other)
			if i%2 == 1 {
				first, second = second, first
			}
			a, z := measure(first), measure(second)
			if i%2 == 1 {
				a, z = z, a
			}
			ratios = append(ratios, float64(a)/float64(z))
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[pairs/2], "ratio-to-floor")
	}
}
