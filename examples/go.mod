module github.com/trulioo-go/trulioo/examples

go 1.26.0

require github.com/trulioo-go/trulioo v0.1.0

replace github.com/trulioo-go/trulioo => ../
