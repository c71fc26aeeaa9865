// Trulioo looks up, exports, receives and inspects what people submitted through
// the workflows of a Trulioo account, from a terminal or a browser. It is not made by Trulioo.
//
//	go install github.com/trulioo-go/trulioo/cmd/trulioo@latest
//	trulioo clients --sandbox
//
// "trulioo help" lists the commands; each has a --help with an example.
package main

import (
	"os"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
