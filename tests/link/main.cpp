// A link test is a whole library plus its declared dependencies: that it links is the test.
int main() { return 0; }
