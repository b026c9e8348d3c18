//! The engine: how instances are allocated, and the clock that interrupts them.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{CacheStore, Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::EngineLimits;

/// How often a guest that computes is looked at.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// Enough for interpreters: the largest seen has 7,689 elements (StarlingMonkey).
pub(super) const TABLE_ELEMENTS: usize = 8_000;

/// Enough for what componentizing tools make: a component's core instances, memories and tables.
pub(super) const CORE_INSTANCES: usize = 64;
pub(super) const MEMORIES: usize = 3;
pub(super) const TABLES: usize = 3;

/// Of the stack that guests' own calls may use.
/// Interpreters need it: with half of it, JavaScript functions call each other some 600 deep.
const GUEST_STACK_BYTES: usize = 1 << 20;

/// Of the stack that a call runs on, the host's functions included.
const CALL_STACK_BYTES: usize = 2 << 20;

/// How much of a memory and of a table stays with its slot, to be wiped instead of given back and faulted in again.
const MEMORY_KEPT_BYTES: usize = 4 << 20;
const TABLE_KEPT_BYTES: usize = 64 << 10;

/// How many slots of instances that ended are wiped at a time. Until then, and while a thread is at it, they are neither taken nor
/// free: so there are spare ones for each thread that may be at it.
const SLOTS_AT_ONCE: usize = 16;

/// Starts an engine with a pool of instances, or without one where address space is short.
pub(super) fn start(limits: &EngineLimits) -> anyhow::Result<Engine> {
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    let engine = match Engine::new(&config) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::warn!("no pool of instances, so each call costs more: {error:#}");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config).map_err(anyhow::Error::from)?
        }
    };
    tick(&engine)?;
    Ok(engine)
}

/// An engine that compiles for the others and runs nothing: its code fits them, since how instances are allocated is no
/// part of it.
pub(super) fn for_compiling(functions: Option<Arc<impl CacheStore + 'static>>) -> anyhow::Result<Engine> {
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    if let Some(functions) = functions {
        config.enable_incremental_compilation(functions).map_err(anyhow::Error::from)?;
    }
    Engine::new(&config).map_err(anyhow::Error::from)
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(CALL_STACK_BYTES)
        .wasm_memory64(false);
    config
}

/// Sized so that the interpreters of all languages fit.
fn pool(limits: &EngineLimits) -> PoolingAllocationConfig {
    let instances = limits.instances as u32;
    let spare = SLOTS_AT_ONCE as u32 * (2 * super::threads::cores() as u32 + 2);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_INSTANCES as u32)
        .total_memories(instances * MEMORIES as u32 + spare)
        .total_tables(instances * TABLES as u32 + spare)
        .total_stacks(instances + spare)
        .max_core_instances_per_component(CORE_INSTANCES as u32)
        .max_memories_per_component(MEMORIES as u32)
        .max_tables_per_component(TABLES as u32)
        .max_tables_per_module(TABLES as u32)
        .max_memory_size(limits.memory_bytes)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(TABLE_ELEMENTS);
    // Wiping what was dirtied is quick only where the kernel tells which pages were; without it, giving memory back is.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
            .table_keep_resident(TABLE_KEPT_BYTES)
            .decommit_batch_size(SLOTS_AT_ONCE);
    }
    pool
}

/// Ticks until the engine is gone.
fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("guest-clock".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
