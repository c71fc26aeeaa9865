// Bundle puts everything about one end client into a folder: the profile, every
// photo and document, a page to read and print, and a manifest of digests.
//
//	bundle CLIENT-ID FOLDER
//
// It reads the TRULIOO_ variables. Call it again after an interruption: it goes
// on where it was. It exits with 1 on failure, 2 on wrong arguments.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/bundle"
)

func main() {
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: bundle CLIENT-ID FOLDER") }
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	client, err := trulioo.NewClientFromEnv()
	if err == nil {
		err = bundle.Save(context.Background(), client, flag.Arg(0), flag.Arg(1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}
