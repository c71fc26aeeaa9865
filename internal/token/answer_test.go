package token

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/wire"
)

// printable is the root package's check of a token.
func printable(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// x/oauth2 takes no expiry, 0, "expires" and "ExpiresIn" for a token that never
// ends, fetches at every call for 10 seconds or less, and fails on 3600.0,
// "3600" and a byte order mark.
func TestTrap_Parse_takes_every_form(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		answer string
		life   time.Duration
	}{
		{`{"access_token":"t","expires_in":3599,"token_type":"Bearer","scope":"workflow.studio.api"}`, 3599 * time.Second},
		{`{"Token":"t","TokenType":"bearer","ExpiresIn":3599}`, 3599 * time.Second},
		{`{"accessToken":"t","expires":3600}`, time.Hour},
		{`{"access_token":"t","expires_in":"3600"}`, time.Hour},
		{`{"access_token":"t","expires_in":3600.0}`, time.Hour},
		{`{"access_token":"t","expires_in":3.6e3}`, time.Hour},
		{`{"access_token":"t","expires_in":" 3600 "}`, time.Hour},
		{"\ufeff" + `{"access_token":"t","expires_in":3600}`, time.Hour},
		{`{"access_token":"t","expires_in":10}`, 10 * time.Second},
		{`{"access_token":"t","expires_in":1.5}`, 1500 * time.Millisecond},
		{`{"access_token":"t"}`, unknownLifetime},
		{`{"access_token":"t","expires_in":0}`, unknownLifetime},
		{`{"access_token":"t","expires_in":null}`, unknownLifetime},
		{`{"access_token":"t","expires_in":-5}`, unknownLifetime},
		{`{"access_token":"t","expires_in":"soon"}`, unknownLifetime},
		{`{"access_token":"t","expires_in":{}}`, unknownLifetime},
		{`{"access_token":"t","expires_in":"NaN"}`, unknownLifetime},
		{`{"access_token":"t","expires_in":1718011363}`, unknownLifetime},
		{`{"access_token":"t","expires_in":1e300}`, unknownLifetime},
		{`{"access_token":"t","expires_in":999999999}`, maxLifetime},
		{`{"access_token":"t","expires_in":0,"expires":60}`, time.Minute},
		{`{"access_token":"t","expires_in":60,"expires":3600}`, time.Minute},
		{`{"access_token":"t","expires_in":0.0001}`, time.Millisecond},
		{`{"access_token":"t","expires_in":1e9}`, maxLifetime},
		{`{"access_token":"t","expires_in":1000000001}`, unknownLifetime},
		{`{"access_token":"t","expires_in":86399}`, 86399 * time.Second},
		{`{"access_token":"t","expires_in":86401}`, maxLifetime},
		{`{"access_token":"t","TOKEN":"other","expires_in":60}`, time.Minute},
		{`{"token":" t ","expires_in":60}`, time.Minute},
		{`{"accessToken":"other","access_token":"t","AccessToken":"other","expires_in":60}`, time.Minute},
		{`{"accessToken":"t","access_token":null,"expiresIn":60,"expires_in":""}`, time.Minute},
	}
	for _, tt := range tests {
		token, err := Parse([]byte(tt.answer), now, printable)
		require.NoError(t, err, tt.answer)
		assert.Equal(t, "t", token.AccessToken, tt.answer)
		assert.Equal(t, "Bearer", token.TokenType, tt.answer)
		assert.Equal(t, tt.life, token.Expiry.Sub(now), tt.answer)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const unusable = "no usable token at access_token"
	const kind = "not a bearer token at token_type"
	for answer, want := range map[string]string{
		`{}`:                                      unusable,
		`{"access_token":""}`:                     unusable,
		`{"access_token":null}`:                   unusable,
		`{"access_token":"a\nb"}`:                 unusable,
		`{"access_token":{}}`:                     unusable,
		`{"access_token":"é"}`:                    unusable,
		`{"access_token":"t","token_type":"mac"}`: kind,
		`{"access_token":"é","token_type":"mac"}`: unusable,
		`null`:                     "null instead of a value",
		`[]`:                       "not of the expected JSON type",
		`"t"`:                      "not of the expected JSON type",
		`<html>`:                   "not one whole JSON value",
		`{"access_token":"t"} x`:   "not one whole JSON value",
		``:                         "cut-off JSON",
		`{"access_token":"t"`:      "cut-off JSON",
		`{"access_token":"t","exp`: "cut-off JSON",
	} {
		token, err := Parse([]byte(answer), time.Now(), printable)
		assert.Nil(t, token, answer)
		var wrong *wire.Error
		require.ErrorAs(t, err, &wrong, answer)
		assert.Equal(t, want, err.Error(), answer)
		assert.Equal(t, want == "cut-off JSON", errors.Is(err, io.ErrUnexpectedEOF), answer)
	}
}

func TestKnownCode(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"} {
		assert.Equal(t, code, KnownCode(code))
	}
	for _, code := range []string{"", "MARK", "Invalid_client", "4100"} {
		assert.Empty(t, KnownCode(code), code)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"access_token":"t","expires_in":3599,"token_type":"Bearer"}`))
	f.Add([]byte(`{"Token":"t","TokenType":"bearer","ExpiresIn":"1e3"}`))
	f.Add([]byte(`{"accessToken":"t","expires":0}`))
	f.Add([]byte("\ufeff" + `"{\"access_token\":\"t\",\"expires_in\":0.0001}"`))
	now := time.Now()
	f.Fuzz(func(t *testing.T, body []byte) {
		token, err := Parse(body, now, printable)
		if err != nil {
			return
		}
		if token.AccessToken == "" || strings.ContainsAny(token.AccessToken, "\r\n\x00") {
			t.Error("a token that cannot be sent")
		}
		if life := token.Expiry.Sub(now); life <= 0 || life > maxLifetime {
			t.Errorf("a life of %v", life)
		}
	})
}
