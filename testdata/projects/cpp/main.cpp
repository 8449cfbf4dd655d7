#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  std::cout << "hello from C++, " << words.size() << " words";
  for (const std::string& word : words) std::cout << ' ' << word;
  std::cout << '\n';
}
