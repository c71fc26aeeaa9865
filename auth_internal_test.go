package trulioo

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// x/oauth2 takes no expiry, 0, "expires" and "ExpiresIn" for a token that never
// ends, fetches at every call for 10 seconds or less, and fails on 3600.0,
// "3600" and a byte order mark.
func TestTrap_parseToken_takes_every_form(t *testing.T) {
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
		{`{"access_token":"t","TOKEN":"other","expires_in":60}`, time.Minute},
	}
	for _, tt := range tests {
		token, err := parseToken([]byte(tt.answer), now)
		require.NoError(t, err, tt.answer)
		assert.Equal(t, "t", token.AccessToken, tt.answer)
		assert.Equal(t, tt.life, token.Expiry.Sub(now), tt.answer)
	}
}

func TestParseToken_refuses(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		``, `null`, `[]`, `"t"`, `{}`, `{"access_token":""}`, `{"access_token":null}`, `{"access_token":"a\nb"}`, `{"access_token":{}}`,
		`{"access_token":"é"}`, `{"access_token":"t"} x`, `{"access_token":"t","token_type":"mac"}`, `<html>`, `{"access_token":"t"`,
	} {
		token, err := parseToken([]byte(answer), time.Now())
		assert.Nil(t, token, answer)
		var decode *DecodeError
		require.ErrorAs(t, err, &decode, answer)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add([]byte(`{"access_token":"t","expires_in":3599,"token_type":"Bearer"}`))
	f.Add([]byte(`{"Token":"t","TokenType":"bearer","ExpiresIn":"1e3"}`))
	f.Add([]byte(`{"accessToken":"t","expires":0}`))
	now := time.Now()
	f.Fuzz(func(t *testing.T, body []byte) {
		token, err := parseToken(body, now)
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
