package main

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
	"strconv"
	"time"

	"github.com/trulioo-go/trulioo"
)

const (
	hookToken  = "verification-token-of-the-builder"
	hookSecret = "shared-secret-of-the-account"
	hookBlock  = 100 // requests, about 5 ms of them
)

// receiveByHand does the steps that every receiver needs: read, HMAC, decode, 200.
func receiveByHand(w http.ResponseWriter, r *http.Request) {
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
	var event plainEvent
	if err := json.Unmarshal(body, &event); err != nil || event.Token != hookToken {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// plainEvent has the fields of the library's Event.
type plainEvent struct {
	ID    string `json:"id"`
	Token string `json:"token"`
	Type  string `json:"type"`
	Event struct {
		Type string `json:"type"`
		Time int64  `json:"ts"`
		User string `json:"user"`
	} `json:"event"`
	FlowID      string        `json:"flowId"`
	NodeID      string        `json:"nodeId"`
	UserID      string        `json:"userId"`
	ServiceType string        `json:"serviceType"`
	Test        bool          `json:"test"`
	Retry       int           `json:"retry"`
	ServiceData *plainService `json:"serviceData"`
}

// hooks measures the library's handler, with its de-duplication, in turn with
// the one by hand. Requests are made outside of the measured time; no two are
// the same event.
func hooks(rounds int) (map[string]pace, error) {
	handler, err := trulioo.NewWebhookHandler(func(context.Context, *trulioo.Event) error { return nil },
		trulioo.WithSigningSecret(hookSecret), trulioo.WithVerificationToken(hookToken))
	if err != nil {
		return nil, err
	}
	handlers := []http.Handler{handler, http.HandlerFunc(receiveByHand)}
	paces := make([]pace, len(handlers))
	serial := 0
	for i, h := range handlers {
		requests := events(&serial, 10*hookBlock) // the first ones warm up
		if _, err := receive(h, requests[hookBlock:]); err != nil {
			return nil, err
		}
		before := mallocs()
		if _, err := receive(h, requests[:hookBlock]); err != nil {
			return nil, err
		}
		paces[i].Allocations = float64(mallocs()-before) / hookBlock
	}
	for round := range rounds {
		for turn := range handlers {
			i := (round + turn) % len(handlers)
			took, err := receive(handlers[i], events(&serial, hookBlock))
			if err != nil {
				return nil, err
			}
			paces[i].Nanoseconds = append(paces[i].Nanoseconds, float64(took)/hookBlock)
		}
	}
	return map[string]pace{ours: paces[0], plain: paces[1]}, nil
}

// receive hands the requests over and returns the time for all.
func receive(h http.Handler, requests []*http.Request) (time.Duration, error) {
	answers := make([]answer, len(requests))
	for i := range answers {
		answers[i].header = make(http.Header, 4)
	}
	began := time.Now()
	for i, r := range requests {
		h.ServeHTTP(&answers[i], r)
	}
	took := time.Since(began)
	for _, a := range answers {
		if a.status != http.StatusOK {
			return 0, fmt.Errorf("webhook: status %d", a.status)
		}
	}
	return took, nil
}

// answer is a ResponseWriter without a recorder's own cost.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
func (a *answer) WriteHeader(status int)      { a.status = status }

// SetReadDeadline does nothing. net/http's own writer has it, so the handler calls it.
func (a *answer) SetReadDeadline(time.Time) error { return nil }

// events are requests with callbacks of about 2 KB that differ in their time.
func events(serial *int, n int) []*http.Request {
	requests := make([]*http.Request, n)
	for i := range requests {
		*serial++
		body := fmt.Appendf(nil, callback, hookToken, strconv.Itoa(1718011363+*serial))
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write(body)
		requests[i] = httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(body))
		requests[i].Header.Set("Content-Type", "application/json")
		requests[i].Header.Set("X-Trulioo-Signature", hex.EncodeToString(mac.Sum(nil)))
	}
	return requests
}

const callback = `{"id":"667b1c2f9d3e4a0012ab34cd","token":"%s","type":"EVENT_CALLBACK",` +
	`"event":{"type":"SERVICE_SUBMIT","ts":%s,"user":"end-user"},"flowId":"6650f1e2a9b8c70012345678",` +
	`"nodeId":"6650f1e2a9b8c70012345699","userId":"6650f1e2a9b8c700123456aa","serviceType":"TRULIOO_EIDV","test":false,"retry":0,` +
	`"serviceData":{"timestamp":1718011363,"serviceStatus":"COMPLETED","nodeId":"6650f1e2a9b8c70012345699","nodeTitle":"Identity check",` +
	`"nodeType":"trulioo_person_wl","match":true,"transactionInfo":{"accountName":"example","accountIdentifier":"acc-1","countryCode":"CA",` +
	`"date":"2024-06-10T09:22:43Z","shareableToken":"","transactionId":"0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0",` +
	`"transactionRecordId":"9f8e7d6c-5b4a-3928-1706-f5e4d3c2b1a0","userName":"api-user"},` +
	`"fullServiceDetails":{"TransactionID":"0b1c2d3e","UploadedDt":"2024-06-10T09:22:43","CountryCode":"CA","ProductName":"Identity Verification",` +
	`"Record":{"TransactionRecordID":"9f8e7d6c","RecordStatus":"match","DatasourceResults":[{"DatasourceName":"Credit Agency","DatasourceFields":[` +
	`{"FieldName":"FirstGivenName","Status":"match"},{"FieldName":"FirstSurName","Status":"match"},{"FieldName":"DayOfBirth","Status":"match"},` +
	`{"FieldName":"MonthOfBirth","Status":"match"},{"FieldName":"YearOfBirth","Status":"nomatch"},{"FieldName":"PostalCode","Status":"missing"}],` +
	`"AppendedFields":[],"Errors":[],"FieldGroups":[]}],"Rule":{"RuleName":"1 of 1","Note":""}}},"secondaryMatch":null,` +
	`"watchlistResults":{"Advanced Watchlist":{"watchlistStatus":"No Hit","watchlistHitDetails":{"wlHitsNumber":0,"amHitsNumber":0,"pepHitsNumber":0}}}}}`
