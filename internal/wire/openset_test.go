package wire

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type colour string

const (
	red  colour = "RED"
	blue colour = "darkBlue"
)

func TestSet(t *testing.T) {
	t.Parallel()
	set := Of(red, blue)
	for in, want := range map[string]colour{
		`"RED"`: red, `"red"`: red, `"Red"`: red, `"DARKBLUE"`: blue, `"dark\u0042lue"`: blue,
		`"green"`: "green", `"Gr\u00fcn"`: "Grün", `""`: "", ` "RED" `: red,
		`7`: "7", `true`: "true", `null`: "", `{"a":"RED"}`: "", `["RED"]`: "", `"`: "", ``: "",
	} {
		got := colour("before")
		require.NoError(t, set.Decode([]byte(in), &got))
		assert.Equal(t, want, got, in)
	}
	for in, want := range map[string]colour{"RED": red, "reD": red, "darkblue": blue, "Green": "Green", "": ""} {
		assert.Equal(t, want, set.Value([]byte(in)), in)
	}
}

//nolint:paralleltest // AllocsPerRun counts what all tests allocate.
func TestTheConstantsSpellingCostsNoAllocation(t *testing.T) {
	set, quoted, text := Of(red, blue), []byte(`"darkBlue"`), []byte("darkBlue")
	var got colour
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = set.Decode(quoted, &got) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { got = set.Value(text) }))
	assert.Equal(t, blue, got)
}
