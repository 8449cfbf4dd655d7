#include "libimage/digest/hasher.h"

#include <openssl/evp.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

const EVP_MD* algorithm_named(std::string_view name) {
  if (name == "sha256") return EVP_sha256();
  if (name == "sha512") return EVP_sha512();
  throw Error(Errc::unsupported,
              cat("digest algorithm ", quoted(name), " is not supported (use sha256 or sha512)"));
}

[[noreturn]] void throw_failed() {
  throw Error(Errc::internal, "compute digest: the cryptographic library failed");
}

}  // namespace

struct Hasher::State {
  std::string algorithm;
  Context context;
};

Hasher::Hasher(std::string_view algorithm)
    : state_(std::make_unique<State>(State{std::string(algorithm), Context(EVP_MD_CTX_new())})) {
  if (!state_->context ||
      EVP_DigestInit_ex(state_->context.get(), algorithm_named(algorithm), nullptr) != 1) {
    throw_failed();
  }
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(ByteView data) {
  if (EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) != 1) throw_failed();
}

Digest Hasher::digest() const {
  const Context copy(EVP_MD_CTX_new());
  unsigned char value[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (!copy || EVP_MD_CTX_copy_ex(copy.get(), state_->context.get()) != 1 ||
      EVP_DigestFinal_ex(copy.get(), value, &size) != 1) {
    throw_failed();
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = cat(state_->algorithm, ":");
  for (unsigned int i = 0; i < size; ++i) {
    text += kHex[value[i] >> 4U];
    text += kHex[value[i] & 0xFU];
  }
  return Digest::parse(text);
}

Digest sha256_of(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.digest();
}

VerifyingSource::VerifyingSource(std::unique_ptr<Source> source, Digest expected,
                                 std::uint64_t size)
    : source_(std::move(source)),
      expected_(std::move(expected)),
      size_(size),
      hasher_(expected_.algorithm()) {}

std::size_t VerifyingSource::read(std::span<std::byte> out) {
  if (verified_) return 0;
  const std::size_t got = source_->read(out);
  seen_ += got;
  if (seen_ > size_) {
    throw Error(Errc::size_mismatch, cat("content of ", expected_.str(),
                                         " is longer than its descriptor's ", size_, " bytes"));
  }
  hasher_.update(out.first(got));
  if (got != 0) return got;
  if (seen_ != size_) {
    throw Error(Errc::size_mismatch, cat("content of ", expected_.str(), " ends after ", seen_,
                                         " of ", size_, " bytes"));
  }
  if (const Digest actual = hasher_.digest(); actual != expected_) {
    throw Error(Errc::digest_mismatch,
                cat("content of ", expected_.str(), " has digest ", actual.str()));
  }
  verified_ = true;
  return 0;
}

}  // namespace lade
