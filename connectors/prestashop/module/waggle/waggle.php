<?php
/**
 * Tells Waggle of carts, orders and customers, since PrestaShop itself has no webhooks.
 *
 * What happens is written into a table of the shop's own database in the same request, and sent after the shopper has
 * the answer. What could not be sent stays and is tried again with the next requests, so a shop that Waggle is away
 * from loses nothing for a week. Calls are signed as Standard Webhooks 1.0 asks.
 *
 * License: MIT
 */
declare(strict_types=1);

if (!defined('_PS_VERSION_')) {
    exit;
}

class Waggle extends Module
{
    private const HOOKS = [
        'actionCartSave',
        'actionValidateOrder',
        'actionOrderStatusPostUpdate',
        'actionCustomerAccountAdd',
        'actionCustomerAccountUpdate',
    ];
    private const AT_ONCE = 20;
    private const KEPT_FOR_S = 604800;
    private const LONGEST_WAIT_S = 3600;

    /** @var array<int, true> carts that changed in this request: each is told once, as it is at its end */
    private $carts = [];

    /** @var bool */
    private $isWaiting = false;

    public function __construct()
    {
        $this->name = 'waggle';
        $this->tab = 'advertising_marketing';
        $this->version = '1.0.0';
        $this->author = 'Waggle';
        $this->need_instance = 0;
        $this->bootstrap = true;
        $this->ps_versions_compliancy = ['min' => '1.7.8.0', 'max' => '9.99.99'];
        parent::__construct();
        $this->displayName = 'Waggle';
        $this->description = 'Tells Waggle of carts, orders and customers.';
    }

    public function install(): bool
    {
        Configuration::updateValue('WAGGLE_SECRET', 'whsec_' . base64_encode(random_bytes(32)));

        return parent::install()
            && Db::getInstance()->execute(
                'CREATE TABLE IF NOT EXISTS `' . _DB_PREFIX_ . 'waggle_outbox` (
                    `id_outbox` INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
                    `message_id` CHAR(36) NOT NULL,
                    `body` MEDIUMTEXT NOT NULL,
                    `created_at` INT UNSIGNED NOT NULL,
                    `attempts` SMALLINT UNSIGNED NOT NULL DEFAULT 0,
                    `not_before` INT UNSIGNED NOT NULL DEFAULT 0
                ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4'
            )
            && $this->registerHook(self::HOOKS);
    }

    public function uninstall(): bool
    {
        Configuration::deleteByName('WAGGLE_SECRET');
        Configuration::deleteByName('WAGGLE_URL');

        return Db::getInstance()->execute('DROP TABLE IF EXISTS `' . _DB_PREFIX_ . 'waggle_outbox`')
            && parent::uninstall();
    }

    /** The page of the module: where to send, the secret to copy, and a button that tries it. */
    public function getContent(): string
    {
        $said = '';
        if (Tools::isSubmit('submitWaggle')) {
            $url = trim((string) Tools::getValue('WAGGLE_URL'));
            if (strncmp($url, 'https://', 8) !== 0 && strncmp($url, 'http://127.0.0.1', 16) !== 0) {
                $said = $this->displayError('The address begins with https://, since what is sent names people.');
            } else {
                Configuration::updateValue('WAGGLE_URL', $url);
                $status = $this->post(self::uuid(), $this->encoded('ping', []));
                $said = $status === 200
                    ? $this->displayConfirmation('Waggle answers.')
                    : $this->displayError('Saved, but Waggle answered with status ' . $status . '.');
            }
        }
        $form = new HelperForm();
        $form->module = $this;
        $form->submit_action = 'submitWaggle';
        $form->currentIndex = AdminController::$currentIndex . '&configure=' . $this->name;
        $form->token = Tools::getAdminTokenLite('AdminModules');
        $form->fields_value = [
            'WAGGLE_URL' => Configuration::get('WAGGLE_URL'),
            'WAGGLE_SHOWN' => Configuration::get('WAGGLE_SECRET'),
        ];

        return $said . $form->generateForm([[
            'form' => [
                'legend' => ['title' => 'Waggle'],
                'input' => [
                    [
                        'type' => 'text',
                        'label' => 'Address',
                        'name' => 'WAGGLE_URL',
                        'desc' => 'Such as https://waggle.example/v1/webhooks/prestashop-main',
                    ],
                    [
                        'type' => 'text',
                        'label' => 'Secret',
                        'name' => 'WAGGLE_SHOWN',
                        'readonly' => true,
                        'desc' => 'Copy it into the section of this source in waggle.toml.',
                    ],
                ],
                'submit' => ['title' => 'Save and try'],
            ],
        ]]);
    }

    public function hookActionCartSave(array $params): void
    {
        $cart = $params['cart'] ?? $this->context->cart;
        if ($cart instanceof Cart && (int) $cart->id > 0) {
            $this->carts[(int) $cart->id] = true;
            $this->sendLater();
        }
    }

    public function hookActionValidateOrder(array $params): void
    {
        $order = $params['order'];
        // An order's cart is saved once more while it is placed, which is no news.
        unset($this->carts[(int) $order->id_cart]);
        $codes = array_column($order->getCartRules(), 'id_cart_rule');
        $rule = $codes ? new CartRule((int) $codes[0]) : null;
        $lines = [];
        foreach ($order->getProducts() as $line) {
            $lines[] = [
                'sku' => self::sku($line['product_reference'], $line['product_id'], $line['product_attribute_id']),
                'name' => $line['product_name'],
                'quantity' => (int) $line['product_quantity'],
                'unit_price' => self::amount($line['unit_price_tax_incl']),
            ];
        }
        $this->note('order-validated', [
            'order_id' => (string) $order->id,
            'cart_id' => (string) $order->id_cart,
            'currency' => $params['currency']->iso_code,
            'total' => self::amount($order->total_paid_tax_incl),
            'coupon_code' => $rule !== null && $rule->code !== '' ? $rule->code : null,
            'customer' => $this->customer($params['customer']),
            'lines' => $lines,
        ]);
    }

    public function hookActionOrderStatusPostUpdate(array $params): void
    {
        $step = self::step($params['newOrderStatus']);
        $order = new Order((int) $params['id_order']);
        if ($step !== null && Validate::isLoadedObject($order)) {
            $this->note('order-step', [
                'order_id' => (string) $order->id,
                'customer_id' => (string) $order->id_customer,
                'step' => $step,
            ]);
        }
    }

    public function hookActionCustomerAccountAdd(array $params): void
    {
        $this->note('customer-saved', $this->customer($params['newCustomer']));
    }

    public function hookActionCustomerAccountUpdate(array $params): void
    {
        $this->note('customer-saved', $this->customer($params['customer']));
    }

    private function noteCart(int $cartId): void
    {
        $cart = new Cart($cartId);
        if (!Validate::isLoadedObject($cart) || $cart->orderExists()) {
            return;
        }
        $lines = [];
        foreach ($cart->getProducts(true) as $line) {
            $lines[] = [
                'sku' => self::sku($line['reference'], $line['id_product'], $line['id_product_attribute']),
                'name' => $line['name'],
                'quantity' => (int) $line['cart_quantity'],
                'unit_price' => self::amount($line['price_wt']),
            ];
        }
        // The link by which PrestaShop's own reminders bring a cart back.
        $token = md5(_COOKIE_KEY_ . 'recover_cart_' . $cartId);
        $query = ['step' => 3, 'recover_cart' => $cartId, 'token_cart' => $token];
        $customer = new Customer((int) $cart->id_customer);
        $this->note('cart-saved', [
            'cart_id' => (string) $cartId,
            'currency' => (new Currency((int) $cart->id_currency))->iso_code,
            'url' => $this->context->link->getPageLink('order', true, (int) $cart->id_lang, $query),
            'customer' => Validate::isLoadedObject($customer) ? $this->customer($customer) : null,
            'lines' => $lines,
        ]);
    }

    private function customer(Customer $customer): array
    {
        $language = new Language((int) $customer->id_lang);
        $said = [
            'customer_id' => (string) $customer->id,
            'email' => $customer->email,
            'first_name' => $customer->firstname,
            'last_name' => $customer->lastname,
            'language' => $language->iso_code ?: null,
            'newsletter' => (bool) $customer->newsletter,
            'updated_at' => self::inUtc((string) $customer->date_upd),
        ];
        if ($customer->newsletter) {
            $said['newsletter_at'] = self::inUtc((string) $customer->newsletter_date_add);
            $said['newsletter_ip'] = $customer->ip_registration_newsletter ?: null;
        }

        return $said;
    }

    private static function step(OrderState $state): ?string
    {
        $named = [
            'PS_OS_CANCELED' => 'cancelled',
            'PS_OS_REFUND' => 'refunded',
            'PS_OS_DELIVERED' => 'delivered',
        ];
        foreach ($named as $key => $step) {
            if ((int) $state->id === (int) Configuration::get($key)) {
                return $step;
            }
        }
        if ($state->shipped) {
            return 'shipped';
        }

        return $state->paid ? 'paid' : null;
    }

    private static function sku($reference, $productId, $variantId): string
    {
        return trim((string) $reference) ?: 'product-' . (int) $productId . '-' . (int) $variantId;
    }

    private static function amount($price): string
    {
        return number_format((float) $price, 2, '.', '');
    }

    /** PrestaShop keeps times in the shop's zone, without saying so. */
    private static function inUtc(string $time): ?string
    {
        $seconds = strncmp($time, '0000', 4) === 0 ? false : strtotime($time);

        return $seconds === false ? null : gmdate('Y-m-d\TH:i:s\Z', $seconds);
    }

    private function encoded(string $type, array $data): string
    {
        $said = ['type' => $type, 'timestamp' => gmdate('Y-m-d\TH:i:s\Z'), 'data' => (object) $data];

        return (string) json_encode($said, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
    }

    private function note(string $type, array $data): void
    {
        Db::getInstance()->insert('waggle_outbox', [
            'message_id' => self::uuid(),
            'body' => pSQL($this->encoded($type, $data), true),
            'created_at' => time(),
        ]);
        $this->sendLater();
    }

    private function sendLater(): void
    {
        if (!$this->isWaiting) {
            $this->isWaiting = true;
            register_shutdown_function([$this, 'send']);
        }
    }

    /** Send what waits, oldest first, after the shopper has the answer; stop at the first that cannot be sent. */
    public function send(): void
    {
        foreach (array_keys($this->carts) as $cartId) {
            $this->noteCart($cartId);
        }
        if (function_exists('fastcgi_finish_request')) {
            fastcgi_finish_request();
        }
        $table = '`' . _DB_PREFIX_ . 'waggle_outbox`';
        Db::getInstance()->execute('DELETE FROM ' . $table . ' WHERE created_at < ' . (time() - self::KEPT_FOR_S));
        $waiting = Db::getInstance()->executeS('SELECT * FROM ' . $table . ' ORDER BY id_outbox LIMIT ' . self::AT_ONCE);
        foreach ($waiting ?: [] as $row) {
            $id = (int) $row['id_outbox'];
            if ((int) $row['not_before'] > time()) {
                return;
            }
            $status = $this->post($row['message_id'], $row['body']);
            if ($status < 200 || $status >= 300) {
                $wait = min(self::LONGEST_WAIT_S, 10 * 2 ** min(9, (int) $row['attempts']));
                Db::getInstance()->update(
                    'waggle_outbox',
                    ['attempts' => (int) $row['attempts'] + 1, 'not_before' => time() + $wait],
                    'id_outbox = ' . $id
                );

                return;
            }
            Db::getInstance()->delete('waggle_outbox', 'id_outbox = ' . $id);
        }
    }

    private function post(string $messageId, string $body): int
    {
        $url = (string) Configuration::get('WAGGLE_URL');
        if ($url === '') {
            return 0;
        }
        $time = (string) time();
        $key = base64_decode(substr((string) Configuration::get('WAGGLE_SECRET'), 6));
        $signature = base64_encode(hash_hmac('sha256', $messageId . '.' . $time . '.' . $body, $key, true));
        $call = curl_init($url);
        curl_setopt_array($call, [
            CURLOPT_POST => true,
            CURLOPT_POSTFIELDS => $body,
            CURLOPT_HTTPHEADER => [
                'Content-Type: application/json',
                'webhook-id: ' . $messageId,
                'webhook-timestamp: ' . $time,
                'webhook-signature: v1,' . $signature,
            ],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_CONNECTTIMEOUT => 2,
            CURLOPT_TIMEOUT => 5,
        ]);
        curl_exec($call);

        return (int) curl_getinfo($call, CURLINFO_RESPONSE_CODE);
    }

    private static function uuid(): string
    {
        $bytes = random_bytes(16);
        $bytes[6] = chr(ord($bytes[6]) & 0x0F | 0x40);
        $bytes[8] = chr(ord($bytes[8]) & 0x3F | 0x80);

        return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
    }
}
