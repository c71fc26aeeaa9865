// Package token asks for the API's tokens, reads the answer, and shares a token
// among many callers. store.go fetches a token again before it ends; callersource.go
// wraps a token source of the caller's.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
)

// Query is the query of the v1 endpoint, as the export API's own page has it.
func Query(id, secret string) string {
	return url.Values{"clientId": {id}, "clientSecret": {secret}}.Encode()
}

// Form is the body for v2, as developer.trulioo.com's authenticated-workflow-api
// page has it. The scope and the audience can be left out.
func Form(id, secret, scope, audience string) []byte {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {id},
		"client_secret": {secret},
	}
	if scope != "" {
		form.Set("scope", scope)
	}
	if audience != "" {
		form.Set("audience", audience)
	}
	return []byte(form.Encode())
}

// Key tells tokens apart that must not be mixed. It does not reveal the parts that it
// is made of, since a store may be another machine.
func Key(secret string, parts ...string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	for _, part := range parts {
		mac.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(mac.Sum(nil))
}
