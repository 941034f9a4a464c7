"""What a study is: names, inherited configs, cases. Pure functions over configs."""
