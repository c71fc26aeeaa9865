package transport

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The bearer goes to the API's own origin and nowhere else.
func TestSameOrigin(t *testing.T) {
	t.Parallel()
	for other, want := range map[string]bool{
		"https://api.example.com/x":       true,
		"https://api.example.com:443/":    true,
		"HTTPS://API.example.COM":         true,
		"HTTPS://API.example.COM:443":     true,
		"https://api.example.com:80/":     false,
		"https://api.example.com:8443/":   false,
		"http://api.example.com/":         false,
		"http://api.example.com:443/":     false,
		"http://API.example.com:443/":     false,
		"https://example.com/":            false,
		"https://api.example.com.net/":    false,
		"https://api.example.com@net/":    false,
		"https://user@api.example.com/":   true, // it is the same server, and the bearer goes before the user
		"https://api.example.com%2fx.net": false,
	} {
		u, err := url.Parse(other)
		if err != nil {
			assert.False(t, want, other)
			continue
		}
		for _, own := range []string{"https://api.example.com/export", "https://api.example.com:443/export"} {
			origin, err := url.Parse(own)
			require.NoError(t, err)
			assert.Equal(t, want, SameOrigin(origin, u), "%s and %s", own, other)
			assert.Equal(t, want, SameOrigin(u, origin), "%s and %s", other, own)
		}
	}
	plain, err := url.Parse("http://127.0.0.1:8080")
	require.NoError(t, err)
	secure, err := url.Parse("https://127.0.0.1:8080")
	require.NoError(t, err)
	assert.False(t, SameOrigin(plain, secure))
	assert.True(t, SameOrigin(plain, plain))
}
