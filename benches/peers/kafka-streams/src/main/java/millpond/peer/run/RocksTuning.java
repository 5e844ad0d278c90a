package millpond.peer.run;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;

/**
 * RocksDB for stores that are written all the time and asked mostly for keys they do not have: one block cache for
 * all, larger memtables flushed two at a time, a Bloom filter in the memtable too, checksums of the hardware's kind.
 */
public final class RocksTuning implements RocksDBConfigSetter {
    private static final long CACHE_BYTES = 128L << 20;
    private static final long MEMTABLE_BYTES = 32L << 20;
    private static final double MEMTABLE_BLOOM_SHARE = 0.1;
    private static final int BLOOM_BITS = 10;

    // Shared by all stores of the process and never closed: it ends with the process.
    private static final Cache CACHE = new LRUCache(CACHE_BYTES);
    private static final BloomFilter FILTER = new BloomFilter(BLOOM_BITS, false);

    @Override
    public void setConfig(String storeName, Options options, Map<String, Object> configs) {
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(CACHE);
        table.setFilterPolicy(FILTER);
        table.setCacheIndexAndFilterBlocks(true);
        table.setPinL0FilterAndIndexBlocksInCache(true);
        options.setTableFormatConfig(table);
        options.setWriteBufferSize(MEMTABLE_BYTES);
        options.setMaxWriteBufferNumber(3);
        options.setMinWriteBufferNumberToMerge(1);
        options.setMemtablePrefixBloomSizeRatio(MEMTABLE_BLOOM_SHARE);
        options.setMemtableWholeKeyFiltering(true);
    }

    @Override
    public void close(String storeName, Options options) {
        // Cache and filter belong to all stores.
    }
}
