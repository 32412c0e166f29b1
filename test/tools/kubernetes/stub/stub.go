// Package stub takes the place of k8s.io/sample-cli-plugin, which Kubernetes's go.mod replaces by a folder of its own tree
// and which nothing here imports.
package stub
