package truliootest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// In a test, NewServer(t) takes the place of Start and Close.
func ExampleStart() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	page, err := srv.Client().Clients.List(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("clients:", page.TotalElements)
	fmt.Println("token requests:", srv.Count(truliootest.FetchToken))
	// Output:
	// clients: 25
	// token requests: 1
}

// Two answers fail, the third is right: the caller sees nothing of it.
func ExampleServer_Fail() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.Fail(truliootest.GetClient, truliootest.Answer(503, "<html>busy</html>").RetryAfter("0"), truliootest.Times(2))

	id := srv.Live.IDs()[0]
	profile, err := srv.Client().Clients.Get(context.Background(), id, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(profile.ID == id, srv.Count(truliootest.GetClient))
	// Output: true 3
}

// A client of one's own is served byte for byte.
func ExampleAccount_Put() {
	account := truliootest.NewAccount(truliootest.AccountSpec{})
	id, err := account.Put([]byte(`{"id":"mine","status":"ACCEPTED","created":1718011363}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	srv, err := truliootest.Start(truliootest.WithLive(account))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	client := srv.Client()
	profile, err := client.Clients.Get(context.Background(), id, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(profile.Status, profile.Created.Unix())
	account.Remove(id)
	_, err = client.Clients.Get(context.Background(), id, nil)
	fmt.Println(errors.Is(err, trulioo.ErrNotFound))
	// Output:
	// ACCEPTED 1718011363
	// true
}

// Lists that clamp the limit and have empty pages in their middle.
func ExampleListing() {
	srv, err := truliootest.Start(truliootest.WithListing(truliootest.Listing{MaxLimit: 4, EmptyEvery: 2}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	n := 0
	for _, err := range srv.Client().Clients.All(context.Background(), nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		n++
	}
	fmt.Println("clients:", n)
	// Output: clients: 25
}

// A test says where two profiles differ, and prints nothing of either.
func ExampleDiff() {
	profile := func(status trulioo.Status, firstName string) *trulioo.Profile {
		fields := map[string]trulioo.Field{"7": {Role: trulioo.RoleFirstName, Value: []string{firstName}}}
		return &trulioo.Profile{Status: status, FlowData: map[string]trulioo.Flow{"f": {FieldData: fields}}}
	}
	for _, place := range truliootest.Diff(profile("ACCEPTED", "Ada"), profile("PENDING", "Eve")) {
		fmt.Println(place)
	}
	// Output:
	// Status
	// FlowData{0}.FieldData{0}.Value[0]
}
