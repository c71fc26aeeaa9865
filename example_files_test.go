package trulioo_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/trulioo-go/trulioo/truliootest"
)

// A run that was killed is simply repeated: whole files stay, and the rest is downloaded.
func ExampleFilesService_SaveAll() {
	sandbox, err := truliootest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer sandbox.Close()
	_, err = sandbox.Live.Put([]byte(`{"id":"ada","flowData":{"f":{"fileData":{
		"front":"Zi9hZGEvZTEvaWQuanBn","back":"Zi9hZGEvZTIvaWQuanBn"}}}}`)) // two files named id.jpg
	if err != nil {
		log.Fatal(err)
	}
	ctx, client := context.Background(), sandbox.Client()
	profile, err := client.Clients.Get(ctx, "ada", nil)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "files")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for range 2 {
		saved, err := client.Files.SaveAll(ctx, dir, profile)
		if err != nil {
			log.Fatal(err)
		}
		for _, file := range saved {
			fmt.Println(file.Ref.Field, file.Name, file.Found)
		}
	}
	// Output:
	// back id-2e7b6fcc3b8e8720.jpg false
	// front id-0c680bec29912923.jpg false
	// back id-2e7b6fcc3b8e8720.jpg true
	// front id-0c680bec29912923.jpg true
}
