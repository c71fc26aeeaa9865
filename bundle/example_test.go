package bundle_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/trulioo-go/trulioo/bundle"
	"github.com/trulioo-go/trulioo/truliootest"
)

// A person has asked for all data that are held about them.
func ExampleWrite() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	var archive bytes.Buffer // or a file
	if err := bundle.Write(context.Background(), srv.Client(), srv.Live.IDs()[0], &archive); err != nil {
		fmt.Println(err)
		return
	}
	content, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range content.File {
		if !strings.HasPrefix(file.Name, bundle.FilesName) {
			fmt.Println(file.Name)
		}
	}
	// Output:
	// index.html
	// manifest.json
	// profile.json
}
