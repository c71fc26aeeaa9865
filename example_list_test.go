package trulioo_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// One page. The counts are of the whole list.
func ExampleWorkflowsService_List() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	page, err := srv.Client().Workflows.List(context.Background(), &trulioo.ListOptions{Limit: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(page.Data), "of", page.TotalElements, "on", page.TotalPages, "pages")
	// Output: 2 of 5 on 3 pages
}

// Every end client, page after page. Leaving the loop early is fine.
func ExampleClientsService_All() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	seen := map[string]bool{}
	for endClient, err := range srv.Client().Clients.All(context.Background(), nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		seen[endClient.ID] = true
	}
	fmt.Println(len(seen))
	// Output: 25
}

// The clients of one day who were accepted.
func ExampleClientListOptions() {
	account := truliootest.NewAccount(truliootest.AccountSpec{})
	for _, profile := range []string{
		`{"id": "early", "status": "ACCEPTED", "created": 1717000000}`,
		`{"id": "ada", "status": "ACCEPTED", "created": 1718011363}`,
		`{"id": "bob", "status": "REJECTED", "created": 1718011364}`,
	} {
		if _, err := account.Put([]byte(profile)); err != nil {
			fmt.Println(err)
			return
		}
	}
	srv, err := truliootest.Start(truliootest.WithLive(account))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	day := time.Date(2024, time.June, 10, 0, 0, 0, 0, time.UTC)
	page, err := srv.Client().Clients.List(context.Background(), &trulioo.ClientListOptions{
		After:    day,
		Before:   day.AddDate(0, 0, 1),
		Statuses: []trulioo.Status{trulioo.StatusAccepted},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, endClient := range page.Data {
		fmt.Println(endClient.ID, endClient.Created.UTC().Format(time.DateTime))
	}
	// Output: ada 2024-06-10 09:22:43
}

// One file to any writer, here a digest. SaveAll is for files on disk.
func ExampleFilesService_Save() {
	srv, err := truliootest.Start(truliootest.WithFiles(truliootest.Files{Size: 1000}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	if _, err := srv.Live.Put([]byte(ada)); err != nil {
		fmt.Println(err)
		return
	}
	digest := sha256.New()
	saved, err := srv.Client().Files.Save(context.Background(), srv.Live.FileKeys("ada")[0], digest)
	fmt.Println(saved.Size, err, len(digest.Sum(nil)))
	// Output: 1000 <nil> 32
}

// A stream, to pass it on.
func ExampleFilesService_Download() {
	srv, err := truliootest.Start(truliootest.WithFiles(truliootest.Files{Size: 1000}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	if _, err := srv.Live.Put([]byte(ada)); err != nil {
		fmt.Println(err)
		return
	}

	file, err := srv.Client().Files.Download(context.Background(), srv.Live.FileKeys("ada")[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = file.Body.Close() }()
	n, err := io.Copy(io.Discard, file.Body)
	fmt.Println(file.ContentType, file.Size, n, err)
	// Output: image/jpeg 1000 1000 <nil>
}
