//! Promises of the live sessions against faults on the wire: the real agents on real sockets,
//! against the simulated venue with a fault plan, and against servers whose every byte is scripted.

#[macro_use]
mod suite;

mod absurd_answers;
mod absurd_reports;
mod bad_day;
mod batches;
mod books;
mod changes;
mod contracts;
mod dead_man;
mod feed;
mod fills_lists;
mod harness;
mod in_band;
mod listen_keys;
mod long_lists;
mod market_faults;
mod order_faults;
mod orders;
mod paces;
mod proxy;
mod questions;
mod raw;
mod recovery;
mod rest_orders;
mod scripted;
mod session;
mod stops;
mod stranger;
mod subject;
mod switch;
mod tls;
mod trader;

market_data!(binance_spot, crate::subject::BinanceSpot);
market_data!(binance_futures, crate::subject::BinanceFutures);
market_data!(binance_sbe, crate::subject::BinanceSbe);
orders!(binance_spot_orders, crate::subject::BinanceSpot);
accounts!(binance_spot_accounts, crate::subject::BinanceSpot);
balances!(binance_spot_balances, crate::subject::BinanceSpot);
accounts!(binance_futures_accounts, crate::subject::BinanceFutures);
contracts!(binance_futures_contracts, crate::subject::BinanceFutures);
orders!(binance_futures_orders, crate::subject::BinanceFutures);
dead_man!(okx_dead_man, crate::subject::Okx);
dead_man!(bybit_dead_man, crate::subject::Bybit);
granted_dead_man!(bybit_granted_dead_man, crate::subject::Bybit);
stops!(binance_spot_stops, crate::subject::BinanceSpot);
orders!(okx_orders, crate::subject::Okx);
accounts!(okx_accounts, crate::subject::Okx);
long_lists!(okx_long_lists, crate::subject::Okx);
balances!(okx_balances, crate::subject::Okx);
orders!(bybit_orders, crate::subject::Bybit);
accounts!(bybit_accounts, crate::subject::Bybit);
long_lists!(bybit_long_lists, crate::subject::Bybit);
balances!(bybit_balances, crate::subject::Bybit);
orders!(kraken_orders, crate::subject::Kraken);
accounts!(kraken_accounts, crate::subject::Kraken);
long_lists!(kraken_long_lists, crate::subject::Kraken);
balances!(kraken_balances, crate::subject::Kraken);
dead_man!(kraken_dead_man, crate::subject::Kraken);
dead_man!(binance_futures_dead_man, crate::subject::BinanceFutures);
orders!(coinbase_orders, crate::subject::Coinbase);
accounts!(coinbase_accounts, crate::subject::Coinbase);
