package webhook_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/webhook"
)

func TestBodyIsReadWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 511, 512, 513, 64 << 10, 64<<10 + 1, 200_000} {
		text := bytes.Repeat([]byte("x"), size)
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "a byte a read": iotest.OneByteReader,
			"half of what fits": iotest.HalfReader, "the end with the last bytes": iotest.DataErrReader,
		} {
			for _, claimed := range []int64{-1, 0, int64(size), 1 << 50} {
				body, err := webhook.Body(wrap(bytes.NewReader(text)), claimed)
				require.NoError(t, err, name)
				require.True(t, bytes.Equal(text, body), "%s: %d bytes, %d claimed", name, size, claimed)
			}
		}
	}
	_, err := webhook.Body(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("xx"))), 2)
	require.ErrorIs(t, err, iotest.ErrTimeout)
}

// Anybody can claim any length.
func TestBodyTakesNoMemoryForAClaim(t *testing.T) {
	t.Parallel()
	body, err := webhook.Body(strings.NewReader("{}"), 1<<50)
	require.NoError(t, err)
	assert.LessOrEqual(t, cap(body), 64<<10+1)
}

func TestIsJSON(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]bool{
		"application/json":                    true,
		" Application/JSON ; charset=utf-8":   true,
		"application/vnd.trulioo+json":        true,
		"APPLICATION/CloudEvents+JSON; v=1":   true,
		"":                                    false,
		"json":                                false,
		"text/json":                           false,
		"text/x+json":                         false,
		"application/xml":                     false,
		"application/jsonp":                   false,
		"application/x-www-form-urlencoded":   false,
		"application/json, application/json":  false,
		"text/plain; x=application/json":      false,
		"application/a b+json":                false,
		"multipart/form-data; boundary=+json": false,
	} {
		assert.Equal(t, want, webhook.IsJSON(contentType), contentType)
	}
}

func TestValuesInAnyCase(t *testing.T) {
	t.Parallel()
	header := http.Header{"x-trulioo-signature": {"a"}, "X-Other": {"b"}}
	assert.Equal(t, []string{"a"}, webhook.Values(header, "X-Trulioo-Signature"))
	header.Set("X-Trulioo-Signature", "c")
	assert.ElementsMatch(t, []string{"a", "c"}, webhook.Values(header, "X-Trulioo-Signature"))
	assert.Nil(t, webhook.Values(header, "X-Missing"))
}

// FuzzGunzip decompresses any bytes, since the sender has proved nothing: never more than
// the cap comes out.
func FuzzGunzip(f *testing.F) {
	for _, text := range []string{"", "x", "{}", strings.Repeat("a", 5000)} {
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
		_, err := io.WriteString(zip, text)
		require.NoError(f, err)
		require.NoError(f, zip.Close())
		f.Add(zipped.Bytes())
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const limit = 1000
		plain, err := webhook.Gunzip(body, limit)
		if err == nil {
			require.LessOrEqual(t, len(plain), limit)
		}
		_ = webhook.LooksBase64(body)
		compressed, known := webhook.IsGzip([]string{string(body)}, body)
		require.False(t, compressed && !known)
	})
}
