package trulioo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// FuzzWebhookHandler sends whole requests. The function runs only for requests that are
// signed and bear the token, the status is one of those documented, and ServeHTTP and
// Handle agree.
func FuzzWebhookHandler(f *testing.F) {
	whole := callback(`,"event":{"type":"FLOW_END","ts":1}`)
	shake := `{"token":"` + hookToken + `","type":"URL_VERIFICATION","challenge":"x"}`
	for _, body := range []string{whole, shake, "", "{}", "null", strings.Repeat("[", 3000), whole + "x", strings.Replace(whole, "token", "Token", 1)} {
		f.Add(http.MethodPost, "application/json", sign([]byte(body), hookSecret), []byte(body))
	}
	f.Add(http.MethodGet, "", "", []byte(whole))
	f.Add(http.MethodPost, "application/x+json;", strings.Repeat("0", 64), []byte(whole))
	f.Fuzz(func(t *testing.T, method, contentType, signature string, body []byte) {
		if signature == "" { // the fuzzer cannot sign
			signature = sign(body, hookSecret)
		}
		ran := 0
		fn := func(context.Context, *trulioo.Event) error { ran++; return nil }
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		r.Method = method
		r.Header["Content-Type"] = []string{contentType}
		r.Header["X-Trulioo-Signature"] = []string{signature}
		w := httptest.NewRecorder()
		newHook(t, fn).ServeHTTP(w, r)

		assert.True(t, json.Valid(w.Body.Bytes()))
		genuine := trulioo.VerifySignature(body, signature, hookSecret) == nil && bearsToken(body)
		switch w.Code {
		case http.StatusOK:
			require.True(t, genuine)
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusMethodNotAllowed,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
			require.Zero(t, ran)
		default:
			t.Fatalf("status %d", w.Code)
		}
		if method != http.MethodPost {
			require.Equal(t, http.StatusMethodNotAllowed, w.Code)
			return
		}
		status, _, answer := newHook(t, fn).Handle(t.Context(), r.Header, body)
		require.Equal(t, w.Code, status)
		require.Equal(t, w.Body.String(), string(answer))
	})
}

// bearsToken is the handler's decision about the token, made with encoding/json.
func bearsToken(body []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &members) != nil {
		return false
	}
	var token string
	return json.Unmarshal(members["token"], &token) == nil && token == hookToken
}
