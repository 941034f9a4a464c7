"""What a study is: names, paths, `extends`, cases, weights, where results lie. Pure; imports no other floor."""
