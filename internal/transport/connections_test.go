package transport

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// On a dead HTTP/2 connection every attempt hangs; only pings find out. A clone
// that lost HTTP/2, or kept two idle connections a host, would be slow in silence.
func TestTrap_transport_keeps_http2_pings_and_connections(t *testing.T) {
	t.Parallel()
	own, ok := Fit(http.DefaultTransport).(*http.Transport)
	require.True(t, ok)
	assert.True(t, own.ForceAttemptHTTP2)
	require.NotNil(t, own.HTTP2)
	assert.Equal(t, 15*time.Second, own.HTTP2.SendPingTimeout)
	assert.Equal(t, 15*time.Second, own.HTTP2.PingTimeout)
	assert.Equal(t, 128, own.MaxIdleConnsPerHost)
	assert.Equal(t, 256, own.MaxIdleConns)
	assert.NotSame(t, http.DefaultTransport, own)

	theirs := &http.Transport{MaxIdleConnsPerHost: 500, MaxIdleConns: 1000, HTTP2: &http.HTTP2Config{SendPingTimeout: time.Minute}}
	clone, ok := Fit(theirs).(*http.Transport)
	require.True(t, ok)
	assert.Equal(t, 500, clone.MaxIdleConnsPerHost)
	assert.Equal(t, 1000, clone.MaxIdleConns)
	assert.Equal(t, time.Minute, clone.HTTP2.SendPingTimeout)

	unbounded, ok := Fit(&http.Transport{}).(*http.Transport)
	require.True(t, ok)
	assert.Zero(t, unbounded.MaxIdleConns, "which means no bound")
}
