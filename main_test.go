package trulioo_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run where a goroutine of this module outlives the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(); left != "" && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leaked waits for goroutines that are about to end, and gives the stacks of
// those that do not.
func leaked() string {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var left []string
	for range 250 {
		buffer := make([]byte, 4<<20)
		buffer = buffer[:runtime.Stack(buffer, true)]
		left = left[:0]
		for stack := range strings.SplitSeq(string(buffer), "\n\n") {
			if strings.Contains(stack, "trulioo-go/trulioo") && !strings.Contains(stack, "TestMain") {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return ""
		}
		<-tick.C
	}
	return strings.Join(left, "\n\n")
}
