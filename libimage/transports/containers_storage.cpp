#include <memory>
#include <string>
#include <utility>

#include "libimage/storage/storage_name.h"
#include "libimage/storage/storage_reader.h"
#include "libimage/storage/storage_writer.h"
#include "libimage/transports/table.h"

namespace lade {
namespace {

/// One store opened once for reading and once for writing in a command, whatever names lead to it.
std::shared_ptr<ContainerStore> open_store(const StorageName& name, StoreAccess access,
                                           Session& session) {
  StoreLocation configured;
  if (session.options().containers_storage) {
    const ContainersStorage store = session.options().containers_storage();
    configured = {.driver = store.driver,
                  .graph_root = store.graph_root,
                  .run_root = store.run_root,
                  .image_stores = store.image_stores};
    apply_driver_options(configured, store.driver_options);
  }
  return std::make_shared<ContainerStore>(name.location(std::move(configured)), access,
                                          session.options().stop);
}

std::unique_ptr<Reader> read_storage(const ImageName& name, Session& session) {
  StorageName parts = StorageName::parse(name.rest);
  auto store = open_store(parts, StoreAccess::read, session);
  return std::make_unique<StorageReader>(std::move(store), std::move(parts.image));
}

std::unique_ptr<Writer> write_storage(const ImageName& name, Session& session) {
  StorageName parts = StorageName::parse(name.rest);
  auto store = open_store(parts, StoreAccess::write, session);
  return std::make_unique<StorageWriter>(std::move(store), std::move(parts.image));
}

/// The name means what it means in its store: only that can tell an ID from a name.
TagOrDigest storage_reference(const ImageName& /*name*/) { return Tag{}; }

}  // namespace

Transport containers_storage_transport() {
  return {.name = "containers-storage",
          .syntax = "containers-storage:[[DRIVER@]ROOT[+RUNROOT]]{NAME[:TAG][@DIGEST]|@ID}",
          .reader = read_storage,
          .writer = write_storage,
          .reference = storage_reference};
}

}  // namespace lade
