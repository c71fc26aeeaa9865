package trulioo

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Zero values of errors are made by tests and mocks, and must print.
func TestErrors_zero_values_do_not_panic(t *testing.T) {
	t.Parallel()
	for _, err := range []error{&APIError{}, &AuthError{}, &TransportError{}, &DecodeError{}, &ArgumentError{}} {
		assert.NotEmpty(t, err.Error())
		require.NotErrorIs(t, err, ErrServer)
		require.NotErrorIs(t, err, ErrUnauthorized)
	}
}
