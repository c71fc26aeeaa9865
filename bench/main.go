// Command bench measures the library side by side, in one run, with what one
// would use in its place: the client that oapi-codegen makes of the API's OpenAPI
// document, and net/http with encoding/json, written by hand. It prints a
// table and writes docs/benchmarks.md and docs/benchmarks.svg.
//
//	go run ./bench           all of it, about ten minutes on two cores
//	go run ./bench -quick    a tenth of it, and only prints
//
// The fake server is a process of its own, and so is each measured export and
// download, so that the processor time and the memory are those of the client alone.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	// The command runs itself for the processes that it measures.
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case serveCommand:
			exit(serve(os.Args[2]))
		case measureCommand:
			exit(measure(os.Args[2]))
		}
	}
	quick := flag.Bool("quick", false, "fewer clients and rounds; nothing is written unless -docs is given")
	docs := flag.String("docs", "", `folder to write benchmarks.md and benchmarks.svg to (default "docs", none with -quick)`)
	flag.Parse()
	if *docs == "" && !*quick {
		*docs = "docs"
	}
	exit(run(sizes(*quick), *docs))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures, prints and writes.
func run(s size, docs string) error {
	if docs != "" { // before minutes are spent on what cannot be written
		if info, err := os.Stat(docs); err != nil || !info.IsDir() {
			return fmt.Errorf("no folder %s; run from the root of the repository, or give -docs", docs)
		}
	}
	r, err := all(s)
	if err != nil {
		return err
	}
	fmt.Println(r.table())
	if docs == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(docs, "benchmarks.md"), []byte(r.page()), 0o600); err != nil {
		return err
	}
	return r.draw(filepath.Join(docs, "benchmarks.svg"))
}
