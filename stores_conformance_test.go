package trulioo_test

import (
	"testing"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// The stores in memory keep the contract that truliootest holds all others to.
func TestMemoryStoresConform(t *testing.T) {
	t.Parallel()
	truliootest.TestDeduper(t, func(*testing.T) trulioo.Deduper { return trulioo.NewMemoryDeduper(100, time.Hour) })
	truliootest.TestTokenStore(t, func(*testing.T) trulioo.TokenStore { return trulioo.NewMemoryTokenStore() })
}
