package token

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo/internal/wire"
)

const (
	// unknownLifetime is the lifetime of a token whose expiry the answer does not
	// tell. It is short, since a token kept too long costs a refused call.
	unknownLifetime = 5 * time.Minute
	maxLifetime     = 24 * time.Hour
)

// Parse reads every form of the answer that the vendor's pages and running
// integrations show: access_token and expires_in, accessToken and expires, Token
// and ExpiresIn, with the number as a number or as a string. usable says whether
// the text can be sent as a token. The error is a *wire.Error.
func Parse(body []byte, now time.Time, usable func(string) bool) (*oauth2.Token, error) {
	var said map[string]json.RawMessage
	if err := wire.Unmarshal(body, &said); err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(said))
	for _, name := range slices.Sorted(maps.Keys(said)) { // of two spellings the standard one comes last
		if text := scalar(said[name]); text != "" {
			fields[strings.ReplaceAll(strings.ToLower(name), "_", "")] = text
		}
	}
	token := &oauth2.Token{AccessToken: fields["accesstoken"], TokenType: "Bearer"}
	if token.AccessToken == "" {
		token.AccessToken = fields["token"]
	}
	if !usable(token.AccessToken) {
		return nil, &wire.Error{Path: "access_token", Reason: "no usable token"}
	}
	if kind := fields["tokentype"]; kind != "" && !strings.EqualFold(kind, "Bearer") {
		return nil, &wire.Error{Path: "token_type", Reason: "not a bearer token"}
	}
	life := lifetime(fields["expiresin"])
	if life == 0 {
		life = lifetime(fields["expires"])
	}
	if life == 0 {
		life = unknownLifetime
	}
	token.Expiry = now.Add(life)
	return token, nil
}

// lifetime reads seconds. 0 means that it is not known: absent, not a number, not
// positive, or so large that it is a date or a mistake.
func lifetime(text string) time.Duration {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0) || seconds > 1e9 {
		return 0
	}
	return min(time.Duration(math.Ceil(seconds*1000))*time.Millisecond, maxLifetime)
}

// scalar is the text of a JSON string or number, else "".
func scalar(value json.RawMessage) string {
	if len(value) == 0 || value[0] == 't' || value[0] == 'f' {
		return ""
	}
	return strings.TrimSpace(wire.Text(value))
}

// KnownCode is the code if it is one of RFC 6749's for refusing a token, which are
// safe to print; else "".
func KnownCode(code string) string {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return code
	}
	return ""
}
